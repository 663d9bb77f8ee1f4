"""A person's answers to graphs: only a yes is a yes, an id names one call with one outcome, refusals decide nothing."""

import dataclasses
from typing import Any, Literal, TypedDict

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import BaseMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt
from pydantic import BaseModel

from integration.agents.adapters.langgraph_models import call, chat_graph, heard, registered, script
from integration.agents.adapters.runs import Runs
from integration.netra.api.api_caller import Caller, problem
from netra.agents.models import Decision
from test_framework.ssot.factories import GOOGLE
from websocket_core.errors import InvalidAction

EDIT = {"type": "edit", "edited_action": {"name": "send_mail", "args": {"to": "EDITED"}}}
NO_YES = [
    EDIT,
    {"type": "edit", "args": {"action": "send_mail", "args": {"to": "EDITED"}}},
    {"decisions": [EDIT]},
    [EDIT],
    {"args": {"to": "EDITED"}},
    {"type": "reject", "message": "no"},
    {"type": "response", "args": "no"},
    {"type": "ignore"},
    {"type": "accept", "args": {"to": "EDITED"}},
    {"type": "something new"},
    {"note": "fine"},
    "send it to EDITED instead",
    False,
    7,
]


def mailing(sent: list[str], *decisions: Any, **options: Any) -> Any:
    """LangChain's agent with its middleware: `send_mail` needs a decision."""

    @tool
    async def send_mail(to: str) -> str:
        """Send a mail."""
        sent.append(to)
        return f"sent to {to}"

    def turn(messages: list[BaseMessage]) -> Any:
        return [" | ".join(word for word in heard(messages) if word.startswith("tool"))]

    model = script([call("send_mail", '{"to": "bob"}', "call_1")], turn)
    guard = HumanInTheLoopMiddleware(interrupt_on={"send_mail": {"allowed_decisions": list(decisions)}}, **options)
    return create_agent(model, [send_mail], middleware=[guard])


@pytest.mark.parametrize("value", NO_YES)
@pytest.mark.parametrize("mode", ["batch", "per_call"])
async def test_what_is_no_plain_yes_decides_nothing(runs: Runs, mode: str, value: Any) -> None:
    sent: list[str] = []
    options = {} if mode == "batch" else {"interrupt_mode": mode}
    run_id = await runs.start(registered(mailing(sent, "approve", "edit", "reject", **options)), "Write to bob")
    (approval,) = await runs.rests(run_id)
    with pytest.raises(InvalidAction) as caught:
        await runs.respond(approval, approved=True, value=value)
    assert caught.value.fields["field"] == "value"
    assert not await Decision.objects.acount()
    assert sent == []
    await runs.respond(approval, approved=False, value="To EDITED, please.")  # it is still open
    run = await runs.over(run_id)
    assert sent == []
    assert "To EDITED, please." in run.end["result"]
    assert run.tools() == [("send_mail", "denied")]


@pytest.mark.parametrize("value", [None, True, "", {"type": "approve"}, {"type": "accept", "args": None}])
@pytest.mark.parametrize("mode", ["batch", "per_call"])
async def test_a_plain_yes_is_a_yes(runs: Runs, mode: str, value: Any) -> None:
    sent: list[str] = []
    options = {} if mode == "batch" else {"interrupt_mode": mode}
    run_id = await runs.start(registered(mailing(sent, "approve", "edit", "reject", **options)), "Write to bob")
    (approval,) = await runs.rests(run_id)
    await runs.respond(approval, approved=True, value=value)
    assert (await runs.over(run_id)).tools() == [("send_mail", "ok")]
    assert sent == ["bob"]


@pytest.mark.django_db(transaction=True)
async def test_on_the_socket_and_over_http_too(join: Any) -> None:
    sent: list[str] = []
    name = registered(mailing(sent, "approve", "edit", "reject"))
    client, caller = await join(), await Caller.of(GOOGLE)
    started = await client.start(name, input="Write to bob")
    asked = await client.until("approval_requested", run_id=started["run_id"], thread_id=started["thread_id"])
    place = {"run_id": started["run_id"], "approval_id": asked["data"]["approval_id"]}
    error = await client.ask("respond", **place, approved=True, value=EDIT)
    assert (error["code"], error["field"]) == ("invalid_action", "value")
    path = f"/runs/{place['run_id']}/approvals/{place['approval_id']}"
    answer = await caller.send("POST", path, {"approved": True, "value": EDIT})
    assert problem(answer, 422, "invalid_action")["field"] == "value"
    assert not await Decision.objects.acount()
    await client.send("respond", **place, approved=True)
    events = await client.finish(started)
    assert sent == ["bob"]
    assert events[-1]["event_type"] == "agent_completed"


@pytest.mark.parametrize("value", ["Because.", {"type": "respond", "message": "Because."}])
async def test_a_tool_that_asks_the_person_takes_words_only(runs: Runs, value: Any) -> None:
    sent: list[str] = []
    run_id = await runs.start(registered(mailing(sent, "respond")), "Write to bob")
    (approval,) = await runs.rests(run_id)
    with pytest.raises(InvalidAction, match="as a text"):
        await runs.respond(approval, approved=True, value=EDIT)
    await runs.respond(approval, approved=True, value=value)
    run = await runs.over(run_id)
    assert run.end["result"] == "tool success: Because."
    assert sent == []


async def test_the_words_of_a_refusal_may_come_as_langchains_decision(runs: Runs) -> None:
    run_id = await runs.start(registered(mailing([], "approve", "reject")), "Write to bob")
    (approval,) = await runs.rests(run_id)
    await runs.respond(approval, approved=False, value={"type": "reject", "message": "Not to bob."})
    assert "Not to bob." in (await runs.over(run_id)).end["result"]


async def test_what_cannot_be_approved_is_not(runs: Runs) -> None:
    sent: list[str] = []
    run_id = await runs.start(registered(mailing(sent, "edit", "reject")), "Write to bob")
    (approval,) = await runs.rests(run_id)
    with pytest.raises(InvalidAction, match="cannot be approved"):
        await runs.respond(approval, approved=True)
    await runs.respond(approval, approved=False)
    assert (await runs.over(run_id)).tools() == [("send_mail", "denied")]
    assert sent == []


@pytest.mark.parametrize("value", [EDIT, {"args": {"to": "EDITED"}}, "send it to EDITED"])
async def test_a_human_interrupt_takes_a_plain_yes_only(runs: Runs, value: Any) -> None:
    class State(TypedDict):
        log: Any

    async def ask(state: State) -> dict[str, Any]:
        request = {"action_request": {"action": "send_mail", "args": {"to": "bob"}}, "config": {"allow_edit": True}}
        return {"log": interrupt(request)}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(State)
    builder.add_node("ask", ask)
    builder.add_edge(START, "ask")
    run_id = await runs.start(registered(builder), {})
    (approval,) = await runs.rests(run_id)
    with pytest.raises(InvalidAction):
        await runs.respond(approval, approved=True, value=value)
    await runs.respond(approval, approved=True)
    assert (await runs.over(run_id)).end["result"] == {"log": {"type": "accept", "args": None}}


class Verdict(BaseModel):
    choice: Literal["a", "b"]


@pytest.mark.parametrize(
    ("value", "field"), [(EDIT, "value.choice"), ({"choice": "c"}, "value.choice"), (None, "value"), ("a", "value")]
)
async def test_an_answer_has_to_fit_the_schema_that_was_asked_for(runs: Runs, value: Any, field: str) -> None:
    class State(TypedDict):
        log: Any

    async def ask(state: State) -> dict[str, Any]:
        return {"log": interrupt("Which one?", response_schema=Verdict).choice}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(State)
    builder.add_node("ask", ask)
    builder.add_edge(START, "ask")
    name = registered(builder)
    run_id = await runs.start(name, {})
    (approval,) = await runs.rests(run_id)
    with pytest.raises(InvalidAction) as caught:
        await runs.respond(approval, approved=True, value=value)
    assert caught.value.fields["field"] == field
    await runs.respond(approval, approved=True, value={"choice": "b"})
    assert (await runs.over(run_id)).end["result"] == {"log": "b"}

    run_id = await runs.start(name, {})
    (approval,) = await runs.rests(run_id)
    await runs.respond(approval, approved=False)  # a no is a no, whatever the schema
    run = await runs.over(run_id)
    assert run.end["message"] == "The question was answered with no."


@dataclasses.dataclass
class Asked:
    tool_name: str
    arguments: dict[str, Any]


class AskedModel(BaseModel):
    message: str
    city: str


async def test_models_and_data_classes_are_asked_by_their_fields(runs: Runs) -> None:
    class State(TypedDict):
        log: Any

    def asking(value: Any) -> Any:
        async def ask(state: State) -> dict[str, Any]:
            return {"log": interrupt(value)}

        builder: StateGraph[Any, Any, Any, Any] = StateGraph(State)
        builder.add_node("ask", ask)
        builder.add_edge(START, "ask")
        return builder

    for value, expected in (
        (AskedModel(message="Which way?", city="Oslo"), ("Which way?", "", '{"city":"Oslo"}')),
        (Asked("sell", {"what": "boat"}), ("Allow sell?", "sell", '{"what":"boat"}')),
        ([{"action_request": {"action": "sell", "args": {}}, "description": "Sell?"}], ("Sell?", "sell", "{}")),
    ):
        run_id = await runs.start(registered(asking(value)), {})
        (approval,) = await runs.rests(run_id)
        assert (approval.message, approval.tool_name, approval.arguments) == expected
        await runs.stop(run_id)
        await runs.over(run_id)


@pytest.mark.parametrize("approved", [[True, False], [False, True]])
async def test_two_equal_calls_keep_their_order(runs: Runs, approved: list[bool]) -> None:
    sent: list[str] = []

    @tool
    async def send_mail(to: str) -> str:
        """Send a mail."""
        sent.append(to)
        return "sent"

    said: list[str] = []

    def turn(messages: list[BaseMessage]) -> Any:
        said.extend(f"{message.tool_call_id} {message.status}" for message in messages if message.type == "tool")  # type: ignore[attr-defined]
        return ["Done."]

    both: list[Any] = [call("send_mail", '{"to": "bob"}', f"call_{number}", number - 1) for number in (1, 2)]
    guard = HumanInTheLoopMiddleware(interrupt_on={"send_mail": True})
    name = registered(create_agent(script(both, turn), [send_mail], middleware=[guard]))
    run_id = await runs.start(name, "Twice")
    approvals = await runs.rests(run_id)
    assert [approval.tool_call_id for approval in approvals] == ["call_1", "call_2"]
    for approval, yes in zip(approvals, approved, strict=True):
        await runs.respond(approval, approved=yes)
    run = await runs.over(run_id)
    assert sent == ["bob"]
    outcomes = {data["tool_call_id"]: data["status"] for data in run.data("tool_completed")}
    assert outcomes == {f"call_{place + 1}": "ok" if yes else "denied" for place, yes in enumerate(approved)}
    assert sorted(said) == sorted(
        f"call_{place + 1} {'success' if yes else 'error'}" for place, yes in enumerate(approved)
    )


@pytest.mark.parametrize("approved", [True, False])
async def test_what_an_inner_agent_asks_about_is_what_runs(runs: Runs, approved: bool) -> None:
    sent: list[str] = []
    outer: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    outer.add_node("agent", mailing(sent, "approve", "reject"))
    outer.add_edge(START, "agent")
    run_id = await runs.start(registered(outer), "Write to bob")
    (approval,) = await runs.rests(run_id)
    assert approval.tool_call_id == "call_1"
    await runs.respond(approval, approved=approved)
    run = await runs.over(run_id)
    assert [(data["tool_call_id"], data["status"]) for data in run.data("tool_completed")] == [
        ("call_1", "ok" if approved else "denied")
    ]
    assert sent == (["bob"] if approved else [])


async def test_a_tool_that_asks_by_itself_and_is_denied_has_one_outcome(runs: Runs) -> None:
    sold: list[str] = []

    @tool
    async def sell(what: str) -> str:
        """Sell."""
        if not interrupt({"tool_name": "sell", "arguments": {"what": what}}):
            return "not sold"
        sold.append(what)
        return "sold"

    model = script([call("sell", '{"what": "boat"}', "call_1")], lambda messages: [messages[-1].text])
    run_id = await runs.start(registered(chat_graph(model, [sell])), "Sell")
    (approval,) = await runs.rests(run_id)
    await runs.respond(approval, approved=False)
    run = await runs.over(run_id)
    assert sold == []
    begun = [data["tool_call_id"] for data in run.data("tool_executing")]
    assert len(begun) == len(set(begun))
    outcomes = {data["tool_call_id"]: data["status"] for data in run.data("tool_completed")}
    assert outcomes == {"call_1": "cancelled", approval.tool_call_id: "denied"}
    assert run.end["result"] == "not sold"


async def test_a_call_that_runs_in_spite_of_a_no_is_told_under_an_id_of_its_own(runs: Runs) -> None:
    @tool
    async def sell(what: str) -> str:
        """Sell."""
        return "sold all the same"

    model = script([call("sell", '{"what": "boat"}', "call_1")], ["Done."])
    builder = chat_graph(model, [sell])

    async def ask(state: MessagesState) -> dict[str, Any]:
        interrupt({"tool_name": "sell", "arguments": {"what": "boat"}})  # and does not look at the answer
        return {}

    graph: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    graph.add_node("answer", builder.nodes["answer"].runnable)
    graph.add_node("ask", ask)
    graph.add_node("tools", builder.nodes["tools"].runnable)
    graph.add_edge(START, "answer")
    graph.add_edge("answer", "ask")
    graph.add_edge("ask", "tools")
    run_id = await runs.start(registered(graph), "Sell")
    (approval,) = await runs.rests(run_id)
    await runs.respond(approval, approved=False)
    run = await runs.over(run_id)
    outcomes = [(data["tool_call_id"], data["status"]) for data in run.data("tool_completed")]
    assert outcomes == [("call_1", "denied"), ("call_1~2", "ok")]

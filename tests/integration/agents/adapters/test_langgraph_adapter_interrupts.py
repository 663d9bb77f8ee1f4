"""LangGraph's interrupts: asked, rested, answered, gone on."""

import operator
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import interrupt

from integration.agents.adapters.langgraph_models import call, chat_graph, heard, registered, script
from integration.agents.adapters.runs import Runs, new_thread


class State(TypedDict):
    log: Annotated[list[Any], operator.add]


def asking(*questions: Any) -> StateGraph[Any, Any, Any, Any]:
    """A graph whose only node asks, and keeps what it is told."""

    async def ask(state: State) -> dict[str, Any]:
        return {"log": [interrupt(question) for question in questions]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(State)
    builder.add_node("ask", ask)
    builder.add_edge(START, "ask")
    return builder


@pytest.mark.parametrize(
    ("approved", "value", "resumed"),
    [
        (True, None, True),
        (True, "blue", "blue"),
        (True, {"colour": "blue"}, {"colour": "blue"}),
        (False, None, False),
        (False, "no, because", False),  # words of refusal must not look like an answer
    ],
)
async def test_a_question_is_asked_and_answered(runs: Runs, approved, value, resumed):
    run_id = await runs.start(registered(asking("Which colour?"), channels=("log",)), {"log": ["before"]})
    (approval,) = await runs.rests(run_id)
    assert (approval.message, approval.tool_name) == ("Which colour?", "")
    await runs.respond(approval, approved=approved, value=value)
    run = await runs.over(run_id)
    assert run.end["result"] == {"log": ["before", resumed]}
    assert [kind for kind in run.types if kind != "agent_state"] == [
        "agent_started",
        "approval_requested",
        "approval_resolved",
        "agent_completed",
    ]


async def test_a_node_may_ask_again_and_again(runs: Runs):
    run_id = await runs.start(
        registered(asking("One?", "Two?", {"message": "Three?", "detail": 3}), channels=("log",)), {"log": []}
    )
    for number, words in enumerate(("One?", "Two?", "Three?")):
        approvals = await runs.rests(run_id)
        while len(approvals) == number:
            approvals = await runs.rests(run_id)
        assert approvals[number].message == words
        await runs.respond(approvals[number], approved=True, value=number)
    assert approvals[2].arguments == '{"detail":3}'
    assert (await runs.over(run_id)).end["result"] == {"log": [0, 1, 2]}


async def test_parallel_branches_ask_at_once_and_each_gets_its_answer(runs: Runs):
    def branch(name: str) -> Any:
        async def node(state: State) -> dict[str, Any]:
            return {"log": [f"{name}: {interrupt(f'{name}?')}"]}

        return node

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(State)
    inner: StateGraph[Any, Any, Any, Any] = StateGraph(State)
    inner.add_node("deep", branch("deep"))
    inner.add_edge(START, "deep")
    builder.add_node("a", branch("a"))
    builder.add_node("b", branch("b"))
    builder.add_node("sub", inner.compile())
    for name in ("a", "b", "sub"):
        builder.add_edge(START, name)
    run_id = await runs.start(registered(builder, channels=("log",)), {"log": []})
    approvals = {approval.message: approval for approval in await runs.rests(run_id)}
    assert approvals.keys() == {"a?", "b?", "deep?"}
    for words, value in (("b?", 2), ("deep?", 3), ("a?", 1)):
        await runs.respond(approvals[words], approved=True, value=value)
    run = await runs.over(run_id)
    assert sorted(run.end["result"]["log"]) == ["a: 1", "b: 2", "deep: 3"]


def guarded(sold: list[str]) -> Any:
    """A chat graph whose tool is guarded the way LangChain's human-in-the-loop middleware does it."""

    @tool
    async def sell(what: str) -> str:
        """Sell."""
        sold.append(what)
        return f"sold {what}"

    def turn(messages: list[BaseMessage]) -> Any:
        if messages[-1].type == "human":
            sales = [f"sale-{len(messages)}-{number}" for number in (1, 2)]
            return [call("sell", '{"what": "boat"}', sales[0]), call("sell", '{"what": "oar"}', sales[1], index=1)]
        return [" | ".join(word for word in heard(messages) if word.startswith("tool"))]

    model = script(turn)

    async def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    async def review(state: MessagesState) -> dict[str, Any]:
        last = state["messages"][-1]
        assert isinstance(last, AIMessage)
        requests = [{"name": one["name"], "args": one["args"], "description": "Really?"} for one in last.tool_calls]
        decisions = interrupt({"action_requests": requests, "review_configs": []})["decisions"]
        kept, refused = [], []
        for one, decision in zip(last.tool_calls, decisions, strict=True):
            if decision["type"] == "approve":
                kept.append(one)
            else:
                words = decision.get("message", "refused")
                refused.append(ToolMessage(words, tool_call_id=one["id"], name=one["name"], status="error"))
        return {"messages": [*refused]}

    async def rest(state: MessagesState) -> dict[str, Any]:
        answered = {message.tool_call_id for message in state["messages"] if isinstance(message, ToolMessage)}
        last = next(message for message in reversed(state["messages"]) if isinstance(message, AIMessage))
        open_calls = [one for one in last.tool_calls if one["id"] not in answered]
        result = await ToolNode([sell]).ainvoke({"messages": [AIMessage("", tool_calls=open_calls)]})
        return {"messages": result["messages"]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("answer", answer)
    builder.add_node("review", review)
    builder.add_node("rest", rest)
    builder.add_edge(START, "answer")
    builder.add_conditional_edges(
        "answer", lambda state: "review" if getattr(state["messages"][-1], "tool_calls", None) else END
    )
    builder.add_edge("review", "rest")
    builder.add_edge("rest", "answer")
    return builder


async def test_action_requests_become_approvals_of_their_tool_calls(runs: Runs):
    sold: list[str] = []
    run_id = await runs.start(registered(guarded(sold)), "Sell all")
    boat, oar = await runs.rests(run_id)
    assert (boat.tool_name, boat.tool_call_id, boat.arguments) == ("sell", "sale-1-1", '{"what":"boat"}')
    assert (oar.message, oar.tool_call_id) == ("Really?", "sale-1-2")
    await runs.respond(boat, approved=False, value="I like it.")
    await runs.respond(oar, approved=True)
    run = await runs.over(run_id)
    assert sold == ["oar"]
    pairs = {data["tool_call_id"]: data["status"] for data in run.data("tool_completed")}
    assert pairs == {"sale-1-1": "denied", "sale-1-2": "ok"}  # the ids are those of the approvals
    assert run.end["result"] == "tool error: I like it. | tool success: sold oar"


async def test_a_tool_may_ask_while_it_runs(runs: Runs):
    sold: list[str] = []

    @tool
    async def sell(what: str) -> str:
        """Sell."""
        if not interrupt({"tool_name": "sell", "arguments": {"what": what}}):
            return "not sold"
        sold.append(what)
        return "sold"

    model = script([call("sell", '{"what": "boat"}', "sale-1")], ["Done."])
    run_id = await runs.start(registered(chat_graph(model, [sell])), "Sell")
    (approval,) = await runs.rests(run_id)
    assert approval.message == "Allow sell?"
    assert (await runs.journal(run_id)).tools() == [("sell", "cancelled")]
    await runs.respond(approval, approved=True)
    run = await runs.over(run_id)
    assert sold == ["boat"]
    assert run.tools() == [("sell", "cancelled"), ("sell", "ok")]
    assert run.data("tool_completed")[1]["tool_call_id"] == approval.tool_call_id


@pytest.mark.parametrize("approved", [True, False])
async def test_a_breakpoint_is_a_question_too(runs: Runs, approved):
    done: list[str] = []

    async def act(state: State) -> dict[str, Any]:
        done.append("acted")
        return {"log": ["acted"]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(State)
    builder.add_node("act", act)
    builder.add_edge(START, "act")
    graph = builder.compile(interrupt_before=["act"], checkpointer=InMemorySaver())
    run_id = await runs.start(registered(graph, channels=("log",)), {"log": []})
    (approval,) = await runs.rests(run_id)
    assert approval.message == "Continue with act?"
    await runs.respond(approval, approved=approved)
    run = await runs.over(run_id)
    assert done == (["acted"] if approved else [])
    assert run.types[-1] == ("agent_completed" if approved else "agent_failed")
    if not approved:
        assert run.end["message"] == "The graph was not allowed to continue."


async def test_stopped_while_it_rests_the_thread_goes_on(runs: Runs):
    sold: list[str] = []
    name, thread = registered(guarded(sold)), new_thread()
    run_id = await runs.start(name, "Sell all", thread)
    await runs.rests(run_id)
    await runs.stop(run_id)
    assert (await runs.over(run_id)).types[-1] == "agent_cancelled"
    run_id = await runs.start(name, "Again", thread)
    for approval in (await runs.rests(run_id))[-2:]:
        await runs.respond(approval, approved=True)
    run = await runs.over(run_id)
    assert sold == ["boat", "oar"]
    assert run.end["result"].startswith("tool error: This call was interrupted before it had a result.")


@pytest.mark.parametrize(
    ("value", "approved", "words", "resumed"),
    [
        ({"type": "tool_approval", "tool_call_id": "t1", "name": "sell", "args": {}}, True, None, {"type": "approve"}),
        (
            {"type": "tool_approval", "tool_call_id": "t1", "name": "sell", "args": {}},
            False,
            "No.",
            {"type": "reject", "message": "No."},
        ),
        ({"action_request": {"action": "sell", "args": {}}}, True, None, {"type": "accept", "args": None}),
        ([{"action_request": {"action": "sell", "args": {}}}], False, None, [{"type": "ignore", "args": None}]),
        ([{"action_request": {"action": "sell", "args": {}}}], False, "No.", [{"type": "response", "args": "No."}]),
        (
            {
                "action_requests": [{"name": "ask", "args": {"question": "Why?"}}],
                "review_configs": [{"action_name": "ask", "allowed_decisions": ["respond"]}],
            },
            True,
            "Because.",
            {"decisions": [{"type": "respond", "message": "Because."}]},
        ),
    ],
)
async def test_every_known_request_gets_the_answer_it_is_made_for(runs: Runs, value, approved, words, resumed):
    run_id = await runs.start(registered(asking(value), channels=("log",)), {"log": []})
    (approval,) = await runs.rests(run_id)
    assert approval.tool_name in ("sell", "ask")
    await runs.respond(approval, approved=approved, value=words)
    run = await runs.over(run_id)
    assert run.end["result"]["log"] == [resumed]
    # What does not run is told with the id of its approval: a denied call, and one whose result the person gave.
    told = [(data["status"], data["tool_call_id"]) for data in run.data("tool_completed")]
    expected = "ok" if approval.tool_name == "ask" else "denied" if not approved else None
    assert told == ([(expected, approval.tool_call_id)] if expected else [])


class DatabaseSaver(BaseCheckpointSaver[str]):
    """Keeps checkpoints in a place of its own, as a saver with a database does."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = InMemorySaver()
        for name in ("aget_tuple", "aput", "aput_writes", "alist", "get_next_version"):
            setattr(self, name, getattr(self.kept, name))


async def test_a_saver_of_the_graphs_own_is_kept_and_its_threads_are_apart(runs: Runs):
    said: list[list[str]] = []

    def turn(messages: list[BaseMessage]) -> Any:
        said.append(heard(messages))
        return ["Fine."]

    saver = DatabaseSaver()
    name = registered(chat_graph(script(turn)).compile(checkpointer=saver))
    await runs.ask(name, "One", "same-thread")
    await Runs("bob").ask(name, "Other person", "same-thread")
    await runs.ask(name, "Two", "same-thread")
    assert said[1] == ["human: Other person"]
    assert said[2] == ["human: One", "ai: Fine.", "human: Two"]
    assert len(saver.kept.storage) == 2
    assert not any("same-thread" in thread for thread in saver.kept.storage)

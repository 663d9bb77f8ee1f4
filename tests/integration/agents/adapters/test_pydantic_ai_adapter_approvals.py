"""Pydantic AI's deferred tools: asked, rested, answered, gone on."""

from itertools import groupby
from typing import Any

import pytest
from pydantic_ai import Agent, ApprovalRequired, CallDeferred, DeferredToolRequests, ModelRetry, RunContext
from pydantic_ai.messages import ModelMessage

from integration.agents.adapters.pydantic_ai_models import call, heard, registered, script
from integration.agents.adapters.runs import Runs, new_thread
from netra.agents.service import get_runtime
from websocket_core.errors import InvalidAction


class Shop:
    """An agent whose tool needs an approval, and what happened with it."""

    def __init__(self, *first: Any, last: str = "Done.", **options: Any) -> None:
        self.sold: list[str] = []
        self.values: list[Any] = []
        self.said: list[list[str]] = []
        agent: Agent[Any, Any] = Agent(script(list(first), self._last), **options)
        self._answer = last

        @agent.tool(requires_approval=True)
        async def sell(ctx: RunContext[Any], what: str) -> str:
            self.sold.append(what)
            self.values.append((ctx.tool_call_metadata or {}).get("value"))
            return f"sold {what}"

        @agent.tool_plain
        async def stock() -> int:
            return 3

        self.agent = agent
        self.name = registered(agent)

    async def _last(self, messages: list[ModelMessage]):
        self.said.append(heard(messages))
        yield self._answer


async def test_approved_it_goes_on_and_the_call_keeps_its_id(runs: Runs):
    shop = Shop("Selling. ", call(1, "sell", '{"what": "boat"}', "sale-1"), call(2, "stock"))
    run_id = await runs.start(shop.name, "Sell the boat")
    (approval,) = await runs.rests(run_id)
    assert (approval.tool_name, approval.tool_call_id, approval.arguments) == ("sell", "sale-1", '{"what":"boat"}')
    before = await runs.journal(run_id)
    assert before.tools() == [("stock", "ok")]  # what needs no approval does not wait for it
    assert "sell" not in [data["tool_name"] for data in before.data("tool_executing")]
    assert shop.sold == []

    await runs.respond(approval, approved=True, value={"price": 3})
    run = await runs.over(run_id)
    assert shop.sold == ["boat"]
    assert shop.values == [{"price": 3}]
    resolved = run.types.index("approval_resolved")
    assert [kind for kind, _ in groupby(run.types[resolved:])] == [
        "approval_resolved",
        "tool_executing",
        "tool_completed",
        "agent_message",
        "agent_completed",
    ]
    assert run.data("tool_completed")[-1]["tool_call_id"] == "sale-1"
    assert run.data("tool_completed")[-1]["result"] == "sold boat"
    assert len(run.end["usage"]) == 2  # both sides of the rest are counted
    assert run.types.count("agent_started") == 1


async def test_denied_the_model_hears_why_and_nothing_runs(runs: Runs):
    shop = Shop(call(0, "sell", '{"what": "boat"}', "sale-1"), last="Not sold.")
    run_id = await runs.start(shop.name, "Sell")
    (approval,) = await runs.rests(run_id)
    await runs.respond(approval, approved=False, value="I like it too much.")
    run = await runs.over(run_id)
    assert shop.sold == []
    resolved = run.types.index("approval_resolved")
    assert run.types[resolved : resolved + 3] == ["approval_resolved", "tool_executing", "tool_completed"]
    assert run.tools() == [("sell", "denied")]
    assert run.data("tool_completed")[0]["tool_call_id"] == "sale-1"
    assert shop.said[0][-1] == "sell denied: I like it too much."
    assert run.end["result"] == "Not sold."


async def test_several_are_asked_at_once_and_it_waits_for_all(runs: Runs):
    shop = Shop(call(0, "sell", '{"what": "boat"}', "a"), call(1, "sell", '{"what": "oar"}', "b"))
    run_id = await runs.start(shop.name, "Sell all")
    first, second = await runs.rests(run_id)
    await runs.respond(second, approved=True)
    assert (await runs.until(run_id, lambda run: True)).resting
    await runs.respond(first, approved=False)
    run = await runs.over(run_id)
    assert shop.sold == ["oar"]
    found = {data["tool_call_id"]: data["status"] for data in run.data("tool_completed")}
    assert found == {"a": "denied", "b": "ok"}


async def test_it_may_rest_again_and_again(runs: Runs):
    """Models may give the same id to calls of different requests."""
    turns: list[Any] = [[call(0, "sell", f'{{"what": "thing {number}"}}', "same")] for number in range(3)]
    agent: Agent[Any, Any] = Agent(script(*turns, ["Sold out."]))
    sold: list[str] = []

    @agent.tool_plain(requires_approval=True)
    async def sell(what: str) -> str:
        sold.append(what)
        return "sold"

    run_id = await runs.start(registered(agent), "Sell all")
    for number, approved in enumerate((True, False, True)):
        approvals = await runs.rests(run_id)
        while len(approvals) == number:
            approvals = await runs.rests(run_id)
        await runs.respond(approvals[number], approved=approved)
    run = await runs.over(run_id)
    assert sold == ["thing 0", "thing 2"]
    assert [status for _, status in run.tools()] == ["ok", "denied", "ok"]
    asked = [data["tool_call_id"] for data in run.data("approval_requested")]
    assert asked == ["same", "same~2", "same~3"]
    assert [data["tool_call_id"] for data in run.data("tool_completed")] == asked


async def test_a_tool_may_ask_while_it_runs(runs: Runs):
    agent: Agent[Any, Any] = Agent(script([call(0, "pay", '{"amount": 500}', "pay-1")], ["Paid."]))
    paid: list[int] = []

    @agent.tool
    async def pay(ctx: RunContext[Any], amount: int) -> str:
        if amount > 100 and not ctx.tool_call_approved:
            raise ApprovalRequired(metadata={"message": f"Pay {amount} euros?"})
        paid.append(amount)
        return "paid"

    run_id = await runs.start(registered(agent), "Pay")
    (approval,) = await runs.rests(run_id)
    assert approval.message == "Pay 500 euros?"
    await runs.respond(approval, approved=True)
    run = await runs.over(run_id)
    assert paid == [500]
    assert run.tools() == [("pay", "cancelled"), ("pay", "ok")]
    assert run.data("tool_completed")[-1]["tool_call_id"] == approval.tool_call_id != "pay-1"


async def test_a_validator_that_asks_leaves_no_trace_before_the_answer(runs: Runs):
    def validate(ctx: RunContext[Any], amount: int) -> None:
        if amount > 1000:
            raise ModelRetry("At most 1000.")
        if not ctx.tool_call_approved:
            raise ApprovalRequired()

    agent: Agent[Any, Any] = Agent(
        script([call(0, "pay", '{"amount": 5000}')], [call(0, "pay", '{"amount": 500}', "pay-2")], ["Paid."])
    )

    @agent.tool(args_validator=validate)
    async def pay(ctx: RunContext[Any], amount: int) -> str:
        return "paid"

    run_id = await runs.start(registered(agent), "Pay")
    (approval,) = await runs.rests(run_id)
    assert (await runs.journal(run_id)).tools() == [("pay", "error")]
    await runs.respond(approval, approved=True)
    run = await runs.over(run_id)
    assert run.tools() == [("pay", "error"), ("pay", "ok")]
    assert run.data("tool_completed")[0]["error"] == "At most 1000."
    assert run.data("tool_completed")[1]["tool_call_id"] == approval.tool_call_id == "pay-2"


@pytest.mark.parametrize(("approved", "value"), [(True, {"colour": "red"}), (False, None)])
async def test_an_external_call_is_answered_by_the_person(runs: Runs, approved, value):
    said: list[list[str]] = []

    async def last(messages: list[ModelMessage]):
        said.append(heard(messages))
        yield "Thanks."

    agent: Agent[Any, Any] = Agent(script([call(0, "ask_user", '{"question": "Which colour?"}', "q")], last))

    @agent.tool_plain
    async def ask_user(question: str) -> Any:
        raise CallDeferred(kind="question")

    run_id = await runs.start(registered(agent), "Paint it")
    (approval,) = await runs.rests(run_id)
    assert approval.message == "Which colour?"
    await runs.respond(approval, approved=approved, value=value)
    run = await runs.over(run_id)
    assert run.tools()[-1] == ("ask_user", "ok" if approved else "denied")
    assert said[0][-1] == (
        "ask_user success: {'colour': 'red'}" if approved else "ask_user failed: The person gave no answer."
    )
    assert run.end["result"] == "Thanks."


async def test_stopped_while_it_rests_the_thread_goes_on(runs: Runs):
    said: list[list[str]] = []

    async def turn(messages: list[ModelMessage]):
        said.append(heard(messages))
        if len(said) == 1:
            yield call(0, "sell", '{"what": "boat"}')
        else:
            yield "Still here."

    agent: Agent[Any, Any] = Agent(script(turn), output_type=[str, DeferredToolRequests])

    @agent.tool_plain(requires_approval=True)
    async def sell(what: str) -> str:
        return "sold"

    name, thread = registered(agent), new_thread()
    run_id = await runs.start(name, "Sell the boat", thread)
    await runs.rests(run_id)
    await runs.stop(run_id)
    run = await runs.over(run_id)
    assert run.types[-2:] == ["approval_resolved", "agent_cancelled"]
    again = await runs.ask(name, "Are you there?", thread)
    assert again.end["result"] == "Still here."
    assert said[1][0] == "user: Sell the boat"
    assert said[1][-1] == "user: Are you there?"
    assert sum(word.startswith("sell ") for word in said[1]) == 1  # the call that was never answered has an answer


async def test_expired_counts_as_denied(runs: Runs, settings):
    settings.NETRA_APPROVAL_HOURS = 0.0
    shop = Shop(call(0, "sell", '{"what": "boat"}'), last="Too late.")
    run_id = await runs.start(shop.name, "Sell")
    (approval,) = await runs.rests(run_id)
    await get_runtime().decide(
        runs.user_id,
        (await runs.journal(run_id)).frames[0]["thread_id"],
        run_id,
        approval.approval_id,
        approved=False,
        value=None,
        by="expired",
    )
    run = await runs.over(run_id)
    assert shop.said[0][-1] == "sell denied: Nobody answered in time."
    assert run.end["result"] == "Too late."


async def test_what_was_said_before_is_known_after_the_rest(runs: Runs):
    shop = Shop(call(0, "sell", '{"what": "boat"}'))
    thread = new_thread()
    run_id = await runs.start(shop.name, "Sell the boat", thread)
    await runs.respond((await runs.rests(run_id))[0], approved=True)
    await runs.over(run_id)
    run_id = await runs.start(shop.name, "Again", thread)
    await runs.respond((await runs.rests(run_id))[0], approved=True)
    await runs.over(run_id)
    assert shop.said[1] == [
        "user: Sell the boat",
        "sell success: sold boat",
        "model: Done.",
        "user: Again",
        "sell success: sold boat",
    ]


@pytest.mark.parametrize(
    "value",
    [
        {"what": "car"},
        {"args": {"what": "car"}},
        {"input": {"what": "car"}},
        "reject",
        {"type": "reject"},
        False,
    ],
)
async def test_an_answer_that_asks_for_something_else_is_no_yes(runs: Runs, value):
    """Neither the call as it was asked runs, nor one that nobody was asked about; the model hears what was said."""
    shop = Shop(call(0, "sell", '{"what": "boat"}', "sale-1"), last="Not sold.")
    run_id = await runs.start(shop.name, "Sell the boat")
    (approval,) = await runs.rests(run_id)
    await runs.respond(approval, approved=True, value=value)
    run = await runs.over(run_id)
    assert shop.sold == []
    assert run.tools() == [("sell", "denied")]
    assert run.data("tool_completed")[0]["tool_call_id"] == "sale-1"
    assert "can only run unchanged" in run.data("tool_completed")[0]["error"]
    assert shop.said[0][-1].startswith("sell denied: The person did not approve this call unchanged")
    assert run.end["result"] == "Not sold."


@pytest.mark.parametrize(
    "value",
    [
        {"type": "edit", "edited_action": {"name": "sell", "args": {"what": "car"}}},
        [{"type": "Edit", "args": {"what": "car"}}],
        {"decisions": [{"type": "edit", "edited_action": {"name": "sell", "args": {"what": "car"}}}]},
        {"override_args": {"what": "car"}},
        {"overrideArgs": {"what": "car"}},
    ],
)
async def test_an_edit_is_refused_and_the_question_stays(runs: Runs, value):
    shop = Shop(call(0, "sell", '{"what": "boat"}', "sale-1"), last="Sold.")
    run_id = await runs.start(shop.name, "Sell the boat")
    (approval,) = await runs.rests(run_id)
    with pytest.raises(InvalidAction, match="The arguments cannot be changed here"):
        await runs.respond(approval, approved=True, value=value)
    assert (await runs.until(run_id, lambda run: True)).resting
    await runs.respond(approval, approved=True)
    assert (await runs.over(run_id)).tools() == [("sell", "ok")]
    assert shop.sold == ["boat"]


async def test_a_call_id_that_was_denied_and_comes_again_is_told(runs: Runs):
    """What became of a later call of the same id is shown, whether it ran or not."""
    agent: Agent[Any, Any] = Agent(
        script([call(0, "sell", '{"what": "boat"}', "same")], [call(0, "sell", '{"who": 1}', "same")], ["Enough."]),
        retries=3,
    )

    @agent.tool_plain(requires_approval=True)
    async def sell(what: str) -> str:
        return "sold"

    run_id = await runs.start(registered(agent), "Sell")
    (approval,) = await runs.rests(run_id)
    await runs.respond(approval, approved=False)
    run = await runs.over(run_id)
    assert [(data["tool_call_id"], data["status"]) for data in run.data("tool_completed")] == [
        ("same", "denied"),
        ("same~2", "error"),
    ]

"""What an author does with an `AgentContext`, and what the person sees of it."""

import asyncio
import operator
from typing import Any

import pytest

from netra.agents import AgentError, ToolDenied
from test_framework.gateway import kinds, outcome
from test_framework.ssot.factories import GOOGLE
from websocket_core.errors import RunOverError

pytestmark = pytest.mark.django_db(transaction=True)


def data(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event["data"] for event in events if event["event_type"] == kind]


def texts(events: list[dict[str, Any]], kind: str, stream: str) -> list[str]:
    """The texts of each stream, in the order in which the streams began."""
    found: dict[str, str] = {}
    for piece in data(events, kind):
        found[piece[stream]] = found.get(piece[stream], "") + piece["delta"]
    return list(found.values())


async def test_whose_run_it_is(join, make) -> None:
    async def body(ctx, input):
        return [ctx.user_id, ctx.thread_id, ctx.run_id]

    make(body)
    events, end = await outcome(join, thread_id="conversation_xyz789")
    assert end["result"] == [GOOGLE, "conversation_xyz789", events[0]["run_id"]]


async def test_think__the_current_thought_ends_with_a_tool_call(join, make) -> None:
    async def body(ctx, input):
        await ctx.think("a")
        await ctx.think("b")
        async with ctx.tool("search"):
            pass
        await ctx.think("c")
        await ctx.think("d", stream="plan")
        await ctx.think("e", "plan")
        await ctx.think(text="f", stream=None)

    make(body)
    events, _ = await outcome(join)
    assert texts(events, "agent_thinking", "stream") == ["ab", "cf", "de"]


async def test_message__streams_beside_each_other(join, make) -> None:
    async def body(ctx, input):
        async with ctx.message() as one, ctx.message() as other:
            for piece in "123":
                await one.append(piece)
                await other.append(piece.replace("2", "-"))
        await ctx.say("whole")
        await ctx.say("another")

    make(body)
    events, _ = await outcome(join)
    assert texts(events, "agent_message", "message_id") == ["123", "1-3", "whole", "another"]
    assert ends_of_messages(events) == [1, 1, 1, 1]


async def test_message__its_last_delta_says_so(join, make) -> None:
    async def body(ctx, input):
        async with ctx.message("m"):
            pass  # without a text there is no message
        async with ctx.message("whole") as message:
            await message.append("at once")
        async with ctx.message("half") as message:
            await message.append("\ud83d")
        await ctx.say("")
        try:
            async with ctx.message("broken") as message:
                await message.append("never comp")
                raise ValueError
        except ValueError:
            await ctx.say("sorry")

    make(body)
    events, _ = await outcome(join)
    assert texts(events, "agent_message", "message_id") == ["at once", "\ufffd", "never comp", "sorry"]
    assert ends_of_messages(events) == [1, 1, 0, 1]


def ends_of_messages(events: list[dict[str, Any]]) -> list[int]:
    """How often each message says that it is complete; nothing of it may follow."""
    found: dict[str, int] = {}
    for event in events:
        if event["event_type"] == "agent_message":
            message = event["data"]["message_id"]
            assert not found.get(message), "a delta after the last one"
            found[message] = found.get(message, 0) + (event["data"].get("last") is True)
    return list(found.values())


async def test_publish_data__under_a_name(join, make) -> None:
    async def body(ctx, input):
        await ctx.publish_data("chart", [1, 2])
        await ctx.publish_data("a.b_c-9", None, id="x")
        await ctx.publish_data("n" * 64, "s", transient=True)
        for name in ("", "netra.x", "N", "n" * 65, "a b", "a\n", 5):
            with pytest.raises(ValueError, match="the name of data"):
                await ctx.publish_data(name, 1)
        for data_id in ("", "i" * 129, 5):
            with pytest.raises(ValueError, match="the id of data"):
                await ctx.publish_data("chart", 1, id=data_id)
        with pytest.raises(ValueError, match="JSON"):
            await ctx.publish_data("chart", {1})

    make(body)
    events, _ = await outcome(join)
    assert data(events, "agent_data") == [
        {"name": "chart", "data": [1, 2]},
        {"name": "a.b_c-9", "data": None, "id": "x"},
        {"name": "n" * 64, "data": "s", "transient": True},
    ]


async def test_tool__fields_of_both_events(join, make) -> None:
    async def body(ctx, input):
        async with ctx.tool("search", {"q": "x"}) as call:
            call.result = {"hits": 1}
        async with ctx.tool(name="wait", arguments=[1]):
            pass

    make(body)
    events, _ = await outcome(join)
    begun, ended = data(events, "tool_executing"), data(events, "tool_completed")
    assert [(call["tool_name"], call["arguments"]) for call in begun] == [("search", {"q": "x"}), ("wait", [1])]
    assert [call["tool_call_id"] for call in ended] == [call["tool_call_id"] for call in begun]
    assert [(call["status"], call["result"]) for call in ended] == [("ok", {"hits": 1}), ("ok", None)]
    assert all(call["duration_ms"] >= 0 and "error" not in call for call in ended)


async def test_tool__five_at_once(join, make) -> None:
    async def body(ctx, input):
        gate = asyncio.Event()

        async def one(number):
            async with ctx.tool("fetch", {"number": number}) as call:
                await (gate.wait() if number else asyncio.sleep(0))
                gate.set()
                call.result = number

        await asyncio.gather(*map(one, range(5)))

    make(body)
    events, end = await outcome(join)
    assert end["type"] == "agent_completed"
    numbers = {call["tool_call_id"]: call["arguments"]["number"] for call in data(events, "tool_executing")}
    assert {call["tool_call_id"]: call["result"] for call in data(events, "tool_completed")} == numbers
    assert sorted(numbers.values()) == [0, 1, 2, 3, 4]


async def test_publish_state__anything_json__nothing_else(join, make) -> None:
    async def body(ctx, input):
        for state in ({"a": 1}, None, [1, "x"], 0):
            await ctx.publish_state(state)
        refused: list[Any] = [object(), "x" * 300_000, float("nan")]
        for state in refused:
            with pytest.raises(ValueError, match=r"JSON|bytes"):
                await ctx.publish_state(state)

    make(body)
    events, end = await outcome(join)
    assert end["type"] == "agent_completed"
    assert [state["state"] for state in data(events, "agent_state")] == [{"a": 1}, None, [1, "x"], 0]


@pytest.mark.parametrize("approved", [True, False])
async def test_approve__the_decision_goes_on_to_its_tool(join, make, approved: bool) -> None:
    async def body(ctx, input):
        decision = await ctx.approve("Send the alert?", tool_name="alert", arguments={"to": "all"})
        assert (decision.approved, decision.value) == (approved, {"note": 1})
        try:
            async with ctx.tool("alert", {"to": "all"}, approval=decision) as call:
                call.result = "sent"
        except ToolDenied:
            return "not sent"
        return "sent"

    make(body)
    client = await join()
    run = await client.start("made")
    asked = await client.receive_json()
    while asked["event_type"] != "approval_requested":
        asked = await client.receive_json()
    question = asked["data"]
    assert (question["message"], question["tool_name"], question["arguments"]) == (
        "Send the alert?",
        "alert",
        {"to": "all"},
    )
    answer = {"approval_id": question["approval_id"], "approved": approved, "value": {"note": 1}}
    await client.send("respond", run_id=asked["run_id"], **answer)
    events = await client.finish(run)
    assert data(events, "approval_resolved") == [{**answer, "by": "user"}]
    place = kinds(events).index("tool_executing")
    begun, ended = events[place : place + 2]
    assert begun["data"]["tool_call_id"] == question["tool_call_id"] == ended["data"]["tool_call_id"]
    assert ended["data"]["status"] == ("ok" if approved else "denied")
    assert events[-1]["data"]["result"] == ("sent" if approved else "not sent")


async def test_history__earlier_runs_of_the_thread_alone__oldest_first(join, make) -> None:
    seen: list[list[tuple[Any, ...]]] = []

    async def body(ctx, input):
        seen.append([(run.run_id, run.input, run.result, run.status) for run in ctx.history])
        if input["n"] == 1:
            raise AgentError("no")
        return input["n"] * 10

    make(body)
    client = await join()
    for number in range(3):
        await client.finish(await client.start("made", thread_id="t", run_id=f"r{number}", input={"n": number}))
    await client.finish(await client.start("made", thread_id="elsewhere", input={"n": 9}))
    first, second = ("r0", {"n": 0}, 0, "completed"), ("r1", {"n": 1}, None, "failed")
    assert seen == [[], [first], [first, second], []]


async def test_after_the_end__nothing_is_said_any_more(join, make) -> None:
    kept: list[Any] = []

    async def body(ctx, input):
        kept.append(ctx)

    make(body)
    await outcome(join)
    for call in (kept[0].think("x"), kept[0].say("x"), kept[0].publish_state(1), kept[0].tool("x").__aenter__()):
        with pytest.raises(RunOverError):
            await call


async def test_tool__whose_model_gives_an_id_twice(join, make) -> None:
    async def body(ctx, input):
        async with ctx.tool("one", tool_call_id="call_0"), ctx.tool("two", tool_call_id="call_0") as two:
            two.result = two.tool_call_id
        async with ctx.tool("three", tool_call_id="call_0"):
            pass
        decision = await ctx.approve("Go on?", tool_name="four", tool_call_id="asked")
        for _ in range(2):
            async with ctx.tool("four", approval=decision):
                pass

    make(body)
    client = await join()
    run = await client.start("made")
    asked = await client.receive_json()
    while asked["event_type"] != "approval_requested":
        asked = await client.receive_json()
    await client.send("respond", run_id=asked["run_id"], approval_id=asked["data"]["approval_id"], approved=True)
    events = await client.finish(run)
    done = [event["data"] for event in events if event["event_type"] == "tool_completed"]
    assert [call["tool_call_id"] for call in done] == ["call_0~2", "call_0", "call_0~3", "asked", "asked~2"]
    assert done[0]["result"] == "call_0~2"


async def test_request_approval__whose_decision_could_not_be_told_from_another(join, make) -> None:
    async def body(ctx, input):
        await ctx.request_approval("Delete it?", tool_name="delete", tool_call_id="call_0")
        with pytest.raises(ValueError, match="has already asked about 'call_0'"):
            await ctx.request_approval("Pay?", tool_name="pay", tool_call_id="call_0")
        with pytest.raises(ValueError, match="expires_in must be a number of seconds"):
            await ctx.request_approval("Pay?", expires_in=float("nan"))
        with pytest.raises(ValueError, match="expires_in"):
            await ctx.request_approval("Pay?", expires_in=1e300)

    make(body)
    events, end = await outcome(join)
    assert end["type"] == "agent_completed"
    assert len(data(events, "approval_requested")) == 1


@pytest.mark.parametrize("kind", ["async", "sync", "async through another module"])
async def test_history__of_a_few_bytes(join, make, settings, kind: str) -> None:
    """The newest runs, as far as the bytes reach; the same however it is loaded."""
    settings.NETRA_HISTORY_BYTES = 2500
    seen: list[list[int]] = []

    async def body(ctx, input):
        seen.append([run.input["n"] for run in ctx.history])
        return "x" * 1000

    def blocking(ctx, input):
        seen.append([run.input["n"] for run in ctx.history])
        return "x" * 1000

    async def elsewhere(ctx, input):  # nothing here names it
        seen.append([run.input["n"] for run in operator.attrgetter(input["what"])(ctx)])
        return "x" * 1000

    make({"async": body, "sync": blocking}.get(kind, elsewhere))
    client = await join()
    for number in range(4):
        await client.finish(await client.start("made", thread_id="t", input={"n": number, "what": "history"}))
    assert seen == [[], [0], [0, 1], [1, 2]]

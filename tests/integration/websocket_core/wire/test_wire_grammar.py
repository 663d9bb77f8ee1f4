"""Whatever an agent does: one start, pairs that are closed, one end, and nothing of an exception in it."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from netra.agents import AgentError, BaseAgent, ToolDenied, ToolError
from test_framework.gateway import SECRET, kinds, outcome
from websocket_core.errors import RunOverError
from websocket_core.testing.sockets import texts_of

pytestmark = pytest.mark.django_db(transaction=True)


class Rude(BaseException):
    """No `Exception`, and meant to go through everything."""


@pytest.mark.parametrize(
    "error", [RuntimeError(SECRET), Rude(SECRET), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(SECRET)]
)
@pytest.mark.parametrize("where", ["at once", "after a thought", "in a tool", "in two tools", "after a tool"])
async def test_raises__ends_as_agent_error(join, make, error, where):
    async def body(ctx, input):
        if where != "at once":
            await ctx.think("…")
        if where == "in a tool":
            async with ctx.tool("search"):
                raise error
        if where == "in two tools":
            async with ctx.tool("search"), ctx.tool("read"):
                raise error
        async with ctx.tool("search") as call:
            call.result = 1
            if where == "at once":
                raise error
        raise error

    make(body)
    _events, end = await outcome(join)
    assert (end["type"], end["code"]) == ("agent_failed", "agent_error")
    assert "Incident" in end["message"]


async def test_raises_for_the_person__the_text_is_shown(join, make):
    async def body(ctx, input):
        with suppress(ToolError):
            async with ctx.tool("search"):
                raise ToolError("no such page")
        raise AgentError("I am tired.")

    make(body)
    events, end = await outcome(join)
    assert (end["code"], end["message"]) == ("agent_error", "I am tired.")
    closed = next(event["data"] for event in events if event["event_type"] == "tool_completed")
    assert (closed["status"], closed["error"]) == ("error", "no such page")


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, object(), b"x", {"deep": [{1: 2}]}, ValueError(SECRET)])
async def test_result_that_json_cannot_express(join, make, value):
    async def body(ctx, input):
        return value

    make(body)
    _, end = await outcome(join)
    assert (end["type"], end["code"]) == ("agent_failed", "result_unserialisable")


async def test_result_of_ten_megabytes(join, make):
    async def body(ctx, input):
        return "x" * 10 * 1024 * 1024

    make(body)
    _, end = await outcome(join)
    assert (end["type"], end["code"]) == ("agent_failed", "result_too_large")


async def test_result_with_the_ids_of_the_context(join, make):
    async def body(ctx, input):
        return {"run": ctx.run_id, "thread": ctx.thread_id, ctx.user_id: True}

    make(body)
    events, end = await outcome(join)
    assert end["result"]["run"] == events[0]["run_id"]


@pytest.mark.parametrize("value", [{1}, "x" * 300_000])
async def test_tool_result_that_cannot_be_shown__closes_the_tool_with_error(join, make, value):
    async def body(ctx, input):
        async with ctx.tool("search") as call:
            call.result = value

    make(body)
    events, _end = await outcome(join)
    assert kinds(events)[1:] == ["tool_executing", "tool_completed", "agent_failed"]
    assert events[2]["data"]["status"] == "error"


@pytest.mark.parametrize("text", [5, None, b"x", ["x"]])
async def test_thought_that_is_no_text__is_the_authors_error_and_loses_nothing(join, make, text):
    async def body(ctx, input):
        await ctx.think("good ")
        await ctx.think("and better")
        await ctx.think(text)

    make(body)
    events, end = await outcome(join)
    assert (end["type"], end["code"]) == ("agent_failed", "agent_error")
    assert list(texts_of(events).values()) == ["good and better"]


async def test_swallows_its_cancellation__is_abandoned(join, make, settings):
    settings.NETRA_STOP_GRACE_SECONDS = 0.2
    let_go = asyncio.Event()

    async def body(ctx, input):
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue
        await ctx.think("too late")

    make(body)
    client = await join()
    run = await client.start("made")
    await client.send("stop_agent", run_id=run["run_id"], reason="enough")
    events = await client.finish(run, 5)
    let_go.set()
    assert (events[-1]["event_type"], events[-1]["data"]["reason"]) == ("agent_cancelled", "enough")
    assert await client.receive_nothing()


async def test_never_returns__timeout(join, make):
    async def body(ctx, input):
        async with ctx.tool("search"):
            await asyncio.Event().wait()

    make(body, timeout=0.2)
    events, end = await outcome(join)
    assert (end["type"], end["code"]) == ("agent_failed", "timeout")
    assert events[-2]["data"]["status"] == "cancelled"


async def test_leaves_tools_open(join, make):
    async def body(ctx, input):
        for name in ("one", "two"):
            await ctx.tool(name).begin()

    make(body)
    events, _end = await outcome(join)
    assert kinds(events)[1:] == ["tool_executing"] * 2 + ["tool_completed"] * 2 + ["agent_completed"]


async def test_cannot_be_made__fails_at_once(join, make):
    class Broken(BaseAgent):
        def __init__(self, manager: Any = None) -> None:
            raise RuntimeError(SECRET)

    make(Broken)
    events, end = await outcome(join)
    assert kinds(events) == ["agent_started", "agent_failed"]
    assert end["code"] == "agent_error"


async def test_raises_what_the_core_raises_of_other_runs(join, make):
    """A sub-agent's run that is over is no reason to believe that this one is."""

    async def body(ctx, input):
        raise RunOverError(SECRET)

    make(body)
    _, end = await outcome(join)
    assert (end["type"], end["code"]) == ("agent_failed", "agent_error")


async def test_sync_body__has_the_same_grammar(join, make):
    def body(ctx, input):
        ctx.think("…")
        with ctx.tool("search") as call:
            call.result = {"n": 1}
        with ctx.tool("read"):
            raise RuntimeError(SECRET)

    make(body)
    events, end = await outcome(join)
    assert end["code"] == "agent_error"
    assert [event["data"]["status"] for event in events if event["event_type"] == "tool_completed"] == ["ok", "error"]


async def test_denied_call__is_one_pair_back_to_back_even_beside_others(join, make):
    async def body(ctx, input):
        decision = await ctx.approve("May I?", tool_name="send", arguments={"to": "all"})

        async def chatter():
            for number in range(50):
                await ctx.publish_state(number)
                await asyncio.sleep(0)

        async def call():
            with pytest.raises(ToolDenied):
                async with ctx.tool("send", {"to": "all"}, approval=decision):
                    pytest.fail("a denied call must not run")

        await asyncio.gather(chatter(), call(), chatter())

    make(body)
    client = await join()
    run = await client.start("made")
    asked = await client.until("approval_requested")
    await client.send("respond", run_id=run["run_id"], approval_id=asked["data"]["approval_id"], approved=False)
    events = await client.finish(run)
    at = kinds(events).index("tool_executing")
    assert kinds(events)[at + 1] == "tool_completed"
    assert events[at + 1]["data"]["status"] == "denied"

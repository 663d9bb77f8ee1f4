"""Agents written as plain functions: a thread of their own, the same methods, and they let go when they are stopped."""

import asyncio
import threading
import time
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from netra.agents import AgentError, BaseAgent, ToolError
from netra.agents.blocking.pool import blocking_threads
from test_framework.gateway import kinds, outcome
from websocket_core.errors import RunOverError

pytestmark = pytest.mark.django_db(transaction=True)


async def receive_until(client: Any, kind: str) -> dict[str, Any]:
    while True:
        frame: dict[str, Any] = await client.receive_json()
        if frame["event_type"] == kind:
            return frame


async def test_every_method__blocking(join, make) -> None:
    def body(ctx, input):
        assert threading.current_thread() is not threading.main_thread()
        ctx.think("hm")
        ctx.think("plan", stream="plan")
        with ctx.tool("search", {"q": 1}) as call:
            call.result = 5
        ctx.publish_state({"step": 1})
        ctx.publish_data("chart", 1, id="x", transient=True)
        with ctx.message() as message:
            message.append("a")
            message.append("b")
        ctx.say("c")
        with pytest.raises(ToolError), ctx.tool("bad"):
            raise ToolError("No such index.")
        return [ctx.user_id, ctx.history]

    make(body)
    events, end = await outcome(join)
    assert end["type"] == "agent_completed"
    spoken = [event["data"]["delta"] for event in events if event["event_type"] == "agent_message"]
    assert "".join(spoken) == "abc"
    ended = [event["data"] for event in events if event["event_type"] == "tool_completed"]
    assert [(call["status"], call.get("result"), call.get("error")) for call in ended] == [
        ("ok", 5, None),
        ("error", None, "No such index."),
    ]


async def test_denied_approval__raises(join, make) -> None:
    def body(ctx, input):
        decision = ctx.approve("Delete it?", tool_name="delete", arguments={})
        with ctx.tool("delete", approval=decision):
            raise AssertionError("it was denied")

    make(body)
    client = await join()
    run = await client.start("made")
    asked = await receive_until(client, "approval_requested")
    await client.send("respond", run_id=asked["run_id"], approval_id=asked["data"]["approval_id"], approved=False)
    events = await client.finish(run)
    assert kinds(events)[-3:] == ["tool_executing", "tool_completed", "agent_failed"]
    assert events[-2]["data"]["status"] == "denied"
    assert events[-2]["data"]["tool_call_id"] == asked["data"]["tool_call_id"]


@pytest.mark.parametrize("error", [AgentError("Ask me later."), RuntimeError("password=hunter2"), StopIteration()])
async def test_whatever_it_raises__the_run_ends(join, make, error: Exception) -> None:
    def body(ctx, input):
        raise error

    make(body)
    _, end = await outcome(join)
    assert (end["type"], end["code"]) == ("agent_failed", "agent_error")
    assert end["message"] == "Ask me later." if isinstance(error, AgentError) else "Incident" in end["message"]


async def test_to_thread__a_function_that_raises_stop_iteration__does_not_hang(join, make) -> None:
    async def body(ctx, input):
        with pytest.raises(RuntimeError, match="StopIteration"):
            await ctx.to_thread(next, iter([]))
        return await ctx.to_thread(sum, [1, 2])

    make(body)
    assert (await outcome(join))[1]["result"] == 3


async def test_class_with_a_plain_run(join, make) -> None:
    class Plain(BaseAgent):
        def run(self, ctx: Any, input: Any) -> Any:
            ctx.say("from a thread")
            return threading.current_thread().name

    make(Plain)
    assert (await outcome(join))[1]["result"].startswith("netra-agent")


async def test_stopped_while_it_asks__the_thread_is_free_again(join, make) -> None:
    ended: list[BaseException] = []
    gone = threading.Event()

    def body(ctx, input):
        try:
            ctx.approve("Go on?")
        except BaseException as error:
            ended.append(error)
            raise
        finally:
            gone.set()

    make(body)
    client = await join()
    run = await client.start("made")
    asked = await receive_until(client, "approval_requested")
    await client.send("stop_agent", run_id=asked["run_id"])
    assert kinds(await client.finish(run))[-2:] == ["approval_resolved", "agent_cancelled"]
    assert await asyncio.to_thread(gone.wait, 30)
    assert isinstance(ended[0], RunOverError)


async def test_lease_lost_while_it_asks__the_thread_is_free_again(join, make) -> None:
    """Then nobody here hears of the answer any more, if there ever is one."""
    from netra.agents.service import get_runtime

    gone = threading.Event()

    def body(ctx, input):
        try:
            ctx.approve("Go on?")
        finally:
            gone.set()

    make(body)
    client = await join()
    await client.start("made")
    await receive_until(client, "approval_requested")
    (held,) = get_runtime().runner._held.values()
    assert held.execution is not None
    held.execution.stop("lost")
    assert await asyncio.to_thread(gone.wait, 30)
    assert blocking_threads()._work_queue.qsize() == 0


async def test_stopped_at_work__hears_of_it_at_its_next_call(join, make) -> None:
    ended: list[BaseException] = []
    gone = threading.Event()

    def body(ctx, input):
        try:
            while True:
                ctx.think("x")
                time.sleep(0.01)
        except BaseException as error:
            assert ctx.cancelled
            ended.append(error)
            raise
        finally:
            gone.set()

    make(body)
    client = await join()
    run = await client.start("made")
    thought = await receive_until(client, "agent_thinking")
    await client.send("stop_agent", run_id=thought["run_id"])
    assert kinds(await client.finish(run))[-1] == "agent_cancelled"
    assert await asyncio.to_thread(gone.wait, 30)
    assert isinstance(ended[0], RunOverError)


async def test_a_user_whose_agents_all_ask__holds_up_nobody(join, make, settings) -> None:
    """Neither another user's sync agents, nor the user's own: who waits for a person holds no thread of the share."""
    settings.NETRA_SYNC_THREADS, settings.NETRA_SYNC_THREADS_PER_USER = 2, 2

    def asks(ctx, input):
        return ctx.approve("Go on?").approved

    def works(ctx, input):
        return input["n"]

    make(asks, name="asks")
    make(works, name="works")
    ann, bob = await join("ann"), await join("bob")
    runs, asked = [], []
    for _ in range(4):
        runs.append(await ann.start("asks"))
        asked.append(await receive_until(ann, "approval_requested"))
    for client in (bob, ann):
        events = await client.finish(await client.start("works", input={"n": 1}))
        assert events[-1]["data"]["result"] == 1
    for run, question in zip(runs, asked, strict=True):
        approval_id = question["data"]["approval_id"]
        await ann.send("respond", run_id=question["run_id"], approval_id=approval_id, approved=True)
        assert (await ann.finish(run))[-1]["data"]["result"] is True


@pytest.mark.parametrize("way", ["ctx.to_thread", "asyncio.to_thread", "sync_to_async"])
async def test_a_user_whose_tools_block__holds_up_nobody_else(join, make, settings, way: str) -> None:
    settings.NETRA_SYNC_THREADS, settings.NETRA_SYNC_THREADS_PER_USER = 2, 2
    gate = threading.Event()

    async def into_a_thread(ctx: Any, function: Any) -> Any:
        if way == "ctx.to_thread":
            return await ctx.to_thread(function)
        if way == "asyncio.to_thread":
            return await asyncio.to_thread(function)
        return await sync_to_async(function)()

    async def blocks(ctx, input):
        return await asyncio.gather(*(into_a_thread(ctx, lambda: gate.wait(60)) for _ in range(4)))

    async def works(ctx, input):
        return await into_a_thread(ctx, lambda: 1)

    make(blocks, name="blocks")
    make(works, name="works")
    ann, bob = await join("ann"), await join("bob")
    runs = [await ann.start("blocks") for _ in range(3)]
    try:
        events = await bob.finish(await bob.start("works"))
        assert events[-1]["data"]["result"] == 1
    finally:
        gate.set()
    for run in runs:
        assert (await ann.finish(run))[-1]["data"]["result"] == [True] * 4

"""The golden path through the route: all five critical events, many users at once, life of a connection, errors."""

import asyncio
from typing import Any

import pytest

from netra.agents.errors import AgentError, ToolError
from test_framework.gateway import kinds
from test_framework.ssot.factories import USER_ID_EXAMPLES
from websocket_core.testing.sockets import check_run
from websocket_core.wire import CRITICAL, TERMINAL

pytestmark = pytest.mark.django_db(transaction=True)

GOLDEN = ["agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed"]


async def test_golden_path__all_five_critical_events__in_order(join) -> None:
    client = await join()
    events = await client.finish(await client.start("test"))
    assert [kind for kind in kinds(events) if kind in CRITICAL] == GOLDEN
    check_run(events)


@pytest.mark.parametrize("user_id", USER_ID_EXAMPLES)
async def test_golden_path__every_provider_s_user_ids(join, user_id: str) -> None:
    client = await join(user_id)
    events = await client.finish(await client.start("test", input={"message": user_id}))
    assert events[-1]["data"]["result"] == {"echo": {"message": user_id}}


async def test_concurrent_users__each_sees_own_runs_only(join) -> None:
    clients = [await join(user_id) for user_id in USER_ID_EXAMPLES]

    async def three_runs(client, marker: str) -> None:
        runs = [await client.start("test", input={"message": marker}) for _ in range(3)]
        for run in runs:
            check_run(await client.finish(run))

    await asyncio.gather(*(three_runs(client, user) for client, user in zip(clients, USER_ID_EXAMPLES, strict=True)))
    for client, user in zip(clients, USER_ID_EXAMPLES, strict=True):
        others = [other for other in USER_ID_EXAMPLES if other != user]
        assert not any(other in str(frame) for other in others for frame in client.frames)


async def test_lifecycle__closed_in_the_middle__a_new_socket_resumes_without_a_gap(join, make) -> None:
    gate = asyncio.Event()

    async def body(ctx, input):
        await ctx.think("before")
        await gate.wait()
        await ctx.say("after")

    make(body)
    first = await join()
    await first.start("made", thread_id="thread_2025_09_13_abc123")
    frame = await first.receive_json()
    while frame["event_type"] != "agent_thinking":
        frame = await first.receive_json()
    await first.close()
    gate.set()
    second = await join()
    await second.send("resume", cursors={"thread_2025_09_13_abc123": frame["seq"]})
    seen: list[dict[str, Any]] = []
    while not seen or seen[-1]["event_type"] != "agent_completed":
        message = await second.receive_json()
        if "seq" in message:
            seen.append(message)
    assert [event["seq"] for event in seen] == list(range(frame["seq"] + 1, frame["seq"] + 1 + len(seen)))


@pytest.mark.parametrize(
    ("error", "shown"),
    [(AgentError("Ask me later."), "Ask me later."), (ValueError("secret of the database"), None)],
)
async def test_errors__end_the_run_once__and_tell_no_secret(join, make, error: Exception, shown: str | None) -> None:
    async def body(ctx, input):
        async with ctx.tool("search", {"q": 1}):
            raise error

    make(body)
    client = await join()
    events = await client.finish(await client.start("made"))
    check_run(events)
    assert [kind for kind in kinds(events) if kind in TERMINAL] == ["agent_failed"]
    assert "secret" not in str(events)
    assert shown is None or events[-1]["data"]["message"] == shown
    # The golden path works all the same, on the same socket.
    assert kinds(await client.finish(await client.start("test")))[-1] == "agent_completed"


async def test_errors__a_failing_tool__is_shown_and_the_run_goes_on(join, make) -> None:
    async def body(ctx, input):
        try:
            async with ctx.tool("search", {}):
                raise ToolError("The index is away.")
        except ToolError:
            await ctx.say("Without the index, then.")
        return 1

    make(body)
    client = await join()
    events = await client.finish(await client.start("made"))
    completed = next(event for event in events if event["event_type"] == "tool_completed")
    assert (completed["data"]["status"], completed["data"]["error"]) == ("error", "The index is away.")
    assert events[-1]["event_type"] == "agent_completed"

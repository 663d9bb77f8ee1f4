"""Blocking code: through the documented ways it holds nobody up; on the event loop the log names who did it."""

import asyncio
import time

import pytest

pytestmark = pytest.mark.django_db(transaction=True)
BLOCK = 1.5  # seconds


async def longest_turn(until: asyncio.Event) -> float:
    """The longest time that the event loop needed for one turn."""
    longest, before = 0.0, time.monotonic()
    while not until.is_set():
        await asyncio.sleep(0.01)
        now = time.monotonic()
        longest, before = max(longest, now - before), now
    return longest


@pytest.mark.parametrize("way", ["to_thread", "plain def"])
async def test_the_documented_ways__hold_nobody_up(join, make, caplog, way):
    async def in_thread(ctx, input):
        async with ctx.tool("slow"):
            await ctx.to_thread(time.sleep, BLOCK)

    def plain(ctx, input):
        with ctx.tool("slow"):
            time.sleep(BLOCK)

    make(in_thread if way == "to_thread" else plain)
    client, other = await join(), await join("somebody else")
    run = await client.start("made")
    await client.until("tool_executing")
    over = asyncio.Event()
    turns = asyncio.create_task(longest_turn(over))
    finished = asyncio.create_task(client.finish(run))
    pings = 0
    while not finished.done():
        await other.ask("ping")
        await other.finish(await other.start("test"))
        pings += 1
    over.set()
    assert pings > 0
    assert await turns < BLOCK / 2
    assert (await finished)[-1]["event_type"] == "agent_completed"
    assert "blocked the event loop" not in caplog.text


@pytest.mark.parametrize("where", ["in its body", "in a task of a framework"])
async def test_on_the_event_loop__the_log_names_the_agent_the_place_and_how_long(join, make, caplog, where):
    async def body(ctx, input):
        async def block() -> None:
            time.sleep(BLOCK)  # noqa: ASYNC251

        await (block() if where == "in its body" else asyncio.create_task(block()))

    make(body)
    client = await join()
    run = await client.start("made")
    await client.finish(run)
    async with asyncio.timeout(10):
        while "blocked the event loop" not in caplog.text:  # noqa: ASYNC110 - told by a thread
            await asyncio.sleep(0.05)
    (message,) = [record.getMessage() for record in caplog.records if "blocked the event loop" in record.getMessage()]
    assert message.startswith(f"netra-run made {run['run_id']} blocked the event loop for ")
    assert float(message.split(" for ")[1].split(" s ")[0]) >= BLOCK - 0.3
    assert "test_blocking.py" in message
    assert "block" in message.split("test_blocking.py")[1]

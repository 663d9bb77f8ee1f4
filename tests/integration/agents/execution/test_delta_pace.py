"""Streamed text: few rows, no delay worth the name, and exactly the text that the agent wrote.

`benchmarks/runs.py deltas` does the same with a hundred runs, and measures.
"""

import asyncio
import time

import pytest

from websocket_core.database import db
from websocket_core.models import Event
from websocket_core.testing.sockets import texts_of

RATE = 200  # deltas a second
SECONDS = 1.5
RUNS = 5


@pytest.mark.parametrize("kind", ["agent_message", "agent_thinking"])
async def test_two_hundred_deltas_a_second__at_most_twenty_rows_and_the_whole_text(each_database, join, make, kind):
    async def body(ctx, input):
        began, text = time.monotonic(), ""
        async with ctx.message() as message:
            for number in range(int(RATE * SECONDS)):
                await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))
                delta = f"{number} äöü 🎈 " if number % 3 else "\n"
                text += delta
                await (message.append(delta) if kind == "agent_message" else ctx.think(delta))
        return [text, time.monotonic() - began]

    make(body)
    client = await join()
    runs = [await client.start("made") for _ in range(RUNS)]
    for run in runs:
        events = await client.finish(run)
        text, seconds = events[-1]["data"]["result"]
        assert list(texts_of(events).values()) == [text]
        rows = await db.read(lambda run=run: Event.objects.filter(run_id=run["run_id"], event_type=kind).count())
        assert rows == sum(event["event_type"] == kind for event in events)
        # One at once, then twenty a second; a busy machine makes it fewer, never more.
        assert 2 <= rows <= 20 * seconds + 2


async def test_a_delta_waits_for_the_next_no_longer_than_its_pace(each_database, join, make, settings):
    settings.NETRA_DELTA_SECONDS = 0.5
    go_on = asyncio.Event()

    async def body(ctx, input):
        async with ctx.message() as message:
            for delta in "abc":
                await message.append(delta)
            await go_on.wait()  # a model that says nothing more: what it said must not wait for that

    make(body)
    client = await join()
    run = await client.start("made")
    seen = ""
    while seen != "abc":
        seen += (await client.until("agent_message"))["data"]["delta"]
    go_on.set()
    await client.finish(run)

"""A thread is gone at once for its user, and its rows go page by page: nobody else's events wait for them."""

import asyncio
import time

import pytest
from django.db import connection
from django.utils import timezone

from integration.netra.api.api_caller import Caller, problem
from netra.agents.models import Memory, Run
from netra.api import writes
from test_framework.journal_operations import state
from test_framework.ssot.factories import GITHUB, GOOGLE
from websocket_core.database import db
from websocket_core.journal import reading as journal_read
from websocket_core.journal import removal
from websocket_core.journal.group_commit import get_journal
from websocket_core.models import NOBODY, Event, Thread

MANY = 150_000


def fill(count: int, user_id: str = GOOGLE, thread_id: str = "t") -> None:
    """A thread with so many events, made by one statement."""
    now = timezone.now()
    thread = Thread.objects.create(
        user_id=user_id, thread_id=thread_id, last_seq=count, created_at=now, updated_at=now, title="long"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < %s) "
            "INSERT INTO websocket_core_event (thread_id, seq, run_id, event_type, frame, created_at) "
            "SELECT %s, n, 'old', 'agent_state', %s, %s FROM numbers",
            [count, thread.pk, '{"event_type":"agent_state","data":{"state":1}}', now],
        )


async def test_another_user_s_event__does_not_wait_for_150_000_others(each_database):
    await db.read(fill, MANY)
    ann = await Caller.of(GOOGLE)
    await get_journal().submit(state(user=GITHUB))
    began = time.monotonic()
    deletion = asyncio.create_task(ann.send("DELETE", "/threads/t"))
    sweeper = asyncio.create_task(removal.keep_removing(0.01))
    longest, answered = 0.0, 0.0
    left = True
    while left:
        since = time.monotonic()
        await get_journal().submit(state(user=GITHUB))
        longest = max(longest, time.monotonic() - since)
        answered = answered or (deletion.done() and time.monotonic() - began) or 0.0
        await asyncio.sleep(0.02)
        left = not deletion.done() or await db.read(Thread.objects.filter(user_id=NOBODY).exists)
    whole = time.monotonic() - began
    sweeper.cancel()
    assert (await deletion).status_code == 204
    assert not await db.read(Event.objects.filter(thread__user_id=GOOGLE).exists)
    assert not await db.read(Event.objects.filter(run_id="old").exists)
    assert longest < whole / 10, f"an event of another user waited {longest:.2f} s of the {whole:.2f} s of the deletion"
    assert answered < whole / 2, f"the answer came after {answered:.2f} s of {whole:.2f} s"


async def test_of_a_thread_that_is_being_removed__nothing_is_left_to_be_seen(each_database, join, settings):
    """As if the process died after the first transaction, and nobody has looked since."""
    settings.NETRA_SWEEP_SECONDS = 3600
    ann, client = await Caller.of(GOOGLE), await join()
    run = await client.start("test", thread_id="t", run_id="r", input={"message": "secret"})
    last = (await client.finish(run))[-1]["seq"]
    await db.read(
        lambda: Memory.objects.create(
            thread=Thread.objects.get(user_id=GOOGLE), key="k", data=b"secret", updated_at=timezone.now()
        )
    )
    await db.write(writes.delete_thread, GOOGLE, "t")
    assert await db.read(Event.objects.exists)
    assert await db.read(Run.objects.exists)

    for gone in ("/threads/t", "/threads/t/runs", "/runs/r"):
        problem(await ann.send("GET", gone), 404, "not_found")
    assert (await ann.get("/threads"))["threads"] == []
    problem(await ann.send("POST", "/runs/r/stop"), 404, "not_found")
    bounds = (await db.read(journal_read.bounds, GOOGLE, ["t"]))["t"]
    assert (bounds.first_seq, bounds.last_seq) == (last + 1, last)
    assert (await db.read(journal_read.read_after, GOOGLE, "t", 0, 10_000)).frames == []
    late = await join()
    resumed = await late.ask("resume", cursors={"t": 1})
    assert "secret" not in str(resumed)

    # The name and the run's id are free again; the numbers go on, so that an old cursor never meets another event.
    fresh = await join()
    again = await fresh.start("test", thread_id="t", run_id="r", input={"message": "new"})
    events = await fresh.finish(again)
    assert events[0]["seq"] == last + 1
    assert [run["run_id"] for run in (await ann.get("/threads/t/runs"))["runs"]] == ["r"]
    assert (await ann.get("/runs/r"))["input"] == {"message": "new"}
    assert "secret" not in str(await ann.get(f"/threads/t/events?after={last}"))

    sweeper = asyncio.create_task(removal.keep_removing(0.01))
    while await db.read(Thread.objects.filter(user_id=NOBODY).exists):  # noqa: ASYNC110 - a database tells nobody
        await asyncio.sleep(0.02)
    sweeper.cancel()
    assert not await db.read(Memory.objects.exists)
    assert await db.read(Run.objects.count) == 1
    assert (await ann.get("/threads/t"))["last_seq"] == events[-1]["seq"]
    assert len((await ann.get(f"/threads/t/events?after={last}"))["events"]) == len(events)


@pytest.mark.django_db(transaction=True)
async def test_every_serving_process__goes_on_where_another_one_died(join):
    await db.read(fill, 1000)
    await db.read(lambda: removal.take_away(Thread.objects.get(thread_id="t")))
    await join(GITHUB)  # begins whatever a serving process does
    async with asyncio.timeout(30):
        while await db.read(Event.objects.exists):  # noqa: ASYNC110 - a database tells nobody
            await asyncio.sleep(0.02)

"""A thread is gone at once for its user, and its rows go page by page: nobody else's events wait for them."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from integration.netra.api.api_caller import Caller, problem
from netra.agents.models import Memory, Run
from netra.api import writes
from test_framework.journal_operations import state
from test_framework.ssot.factories import GITHUB, GOOGLE
from websocket_core.database import db
from websocket_core.gateway import get_gateway
from websocket_core.journal import reading as journal_read
from websocket_core.models import NOBODY, Event, Thread
from websocket_core.process import background
from websocket_core.retention import removal

MANY = 150_000


def fill(count: int, user_id: str = GOOGLE, thread_id: str = "t") -> None:
    """A thread with so many events, made by one statement."""
    now = timezone.now()
    thread = Thread.objects.create(
        owner_id=user_id, thread_id=thread_id, last_seq=count, created_at=now, updated_at=now, title="long"
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
    await get_gateway().journal.submit(state(user=GITHUB))
    began = time.monotonic()
    deletion = asyncio.create_task(ann.send("DELETE", "/threads/t"))
    sweeper = asyncio.create_task(removal.keep_removing(0.01))
    longest, answered = 0.0, 0.0
    left = True
    while left:
        since = time.monotonic()
        await get_gateway().journal.submit(state(user=GITHUB))
        longest = max(longest, time.monotonic() - since)
        answered = answered or (deletion.done() and time.monotonic() - began) or 0.0
        await asyncio.sleep(0.02)
        left = not deletion.done() or await db.read(Thread.objects.filter(owner_id=NOBODY).exists)
    whole = time.monotonic() - began
    sweeper.cancel()
    assert (await deletion).status_code == 204
    assert not await db.read(Event.objects.filter(thread__owner_id=GOOGLE).exists)
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
            thread=Thread.objects.get(owner_id=GOOGLE), key="k", data=b"secret", updated_at=timezone.now()
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
    while await db.read(Thread.objects.filter(owner_id=NOBODY).exists):  # noqa: ASYNC110 - a database tells nobody
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


@pytest.fixture
def protected(each_database) -> Iterator[Callable[[int], None]]:
    """Function that protects a thread's row, as another application's foreign key does."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE protected (thread_id bigint NOT NULL REFERENCES websocket_core_thread (id))")

    def protect(thread_pk: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO protected VALUES (%s)", [thread_pk])

    yield protect
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE protected")


@pytest.mark.parametrize("by", ["sweeper", "command"])
async def test_a_thread_that_cannot_be_removed__keeps_no_other_one_waiting(protected, monkeypatch, caplog, by):
    monkeypatch.setattr(removal, "_each", background.ForEach(removal.log, "removing the deleted thread"))

    def prepare() -> int:
        for number in range(3):
            fill(10, thread_id=f"t{number}")
            removal.take_away(Thread.objects.get(owner_id=GOOGLE, thread_id=f"t{number}"))
        first = Thread.objects.filter(owner_id=NOBODY).earliest("pk").pk
        protected(first)
        return first

    first = await db.read(prepare)
    for _ in range(2):
        if by == "sweeper":
            await removal.remove_deleted()
        else:
            await db.read(call_command, "prune_events")
    assert await db.read(lambda: list(Thread.objects.filter(owner_id=NOBODY).values_list("pk", flat=True))) == [first]
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        f"removing the deleted thread {first} failed; continuing with the others"
    ]


async def test_many_renames_of_one_user__let_another_user_s_event_in_between(each_database):
    await db.read(fill, 1)
    await get_gateway().journal.submit(state(user=GITHUB))
    renames = [db.write(writes.rename_thread, GOOGLE, "t", f"title {number}") for number in range(200)]
    await get_gateway().journal.submit(state(user=GITHUB))
    done = sum(rename.done() for rename in renames)
    await asyncio.gather(*renames)
    assert done < 100, f"the event waited for {done} of {len(renames)} renames"


@pytest.mark.parametrize("each_database", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
@pytest.mark.parametrize(("method", "status"), [("PATCH", 200), ("DELETE", 204)])
async def test_a_write_that_waits_for_a_lock__delays_nobody_s_events(each_database, method, status):
    """On SQLite the lock would be everybody's."""
    await db.read(fill, 1)
    ann = await Caller.of(GOOGLE)
    await get_gateway().journal.submit(state(user=GITHUB))
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            list(Thread.objects.select_for_update().filter(owner_id=GOOGLE))
            held.set()
            assert release.wait(60)

    holder = db.readers.call(hold)
    await asyncio.to_thread(held.wait, 30)
    try:
        body = {"title": "new"} if method == "PATCH" else None
        slow = asyncio.create_task(ann.send(method, "/threads/t", body))
        while not await db.read(waits_for_a_lock):  # noqa: ASYNC110 - a database tells nobody
            await asyncio.sleep(0.02)
        async with asyncio.timeout(20):
            await get_gateway().journal.submit(state(user=GITHUB))
        assert not slow.done()
    finally:
        release.set()
    await holder
    assert (await slow).status_code == status


def waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
        return cursor.fetchone() is not None

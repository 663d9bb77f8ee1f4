"""What the journal writes beside events: a thread's head, its time, the process's heartbeat, and not more often than
needed.
"""

import asyncio
import math
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from test_framework.journal_operations import Lend, state, states
from test_framework.ssot.factories import GOOGLE
from websocket_core.database import db
from websocket_core.gateway import get_gateway
from websocket_core.journal import reading as journal_read
from websocket_core.journal.transaction import STAMP_EVERY
from websocket_core.models import JournalCommit, Process, Thread
from websocket_core.process.heartbeat import this_process

pytestmark = pytest.mark.usefixtures("each_database")


def head(thread: str = "t") -> Thread:
    return Thread.objects.get(owner_id=GOOGLE, thread_id=thread)


def age(seconds: float) -> None:
    """As if the thread had not moved for so long."""
    Thread.objects.update(updated_at=datetime.now(UTC) - timedelta(seconds=seconds))


async def test_run_going_on__its_thread_is_stamped_once_a_second():
    journal = get_gateway().journal
    token = await journal.submit(Lend())
    stamped = (await db.read(head)).updated_at
    for number in range(3):
        await journal.submit(state(number, fence=token))
    row = await db.read(head)
    assert (row.updated_at, row.last_seq, row.active_run_id, row.fence) == (stamped, 3, "r", token)
    assert await states() == [0, 1, 2]

    await db.read(age, STAMP_EVERY.total_seconds() + 0.1)
    before = datetime.now(UTC)
    await journal.submit(state(3, fence=token))
    assert (await db.read(head)).updated_at >= before


async def test_event_outside_of_a_lease__stamps_its_thread():
    """Nothing says when the next one comes: `sync` and the watchdog see it at once."""
    for number in range(2):
        before = datetime.now(UTC)
        await get_gateway().journal.submit(state(number))
        assert (await db.read(head)).updated_at >= before


async def test_watchdogs_question__finds_threads_that_were_not_stamped():
    """It looks back much further than a stamp is old."""
    from websocket_core.connections.watch.watchdog import OVERLAP

    journal = get_gateway().journal
    token = await journal.submit(Lend())
    await journal.submit(state(0, fence=token))
    await db.read(age, STAMP_EVERY.total_seconds() * 0.9)
    looked = datetime.now(UTC)
    await journal.submit(state(1, fence=token))
    assert OVERLAP >= 2 * STAMP_EVERY
    moved = await db.read(journal_read.moved_since, looked - OVERLAP)
    assert [tuple(row) for row in moved] == [(GOOGLE, "t", 2)]


async def test_threads_of_one_batch__some_stamped_and_some_not():
    journal = get_gateway().journal
    token = await journal.submit(Lend())
    futures = [journal.post(op) for op in (state(1, fence=token), state(1, thread="other"), state(2, fence=token))]
    assert await asyncio.gather(*futures) == [1, 1, 2]
    assert ((await db.read(head)).last_seq, (await db.read(head, "other")).last_seq) == (2, 1)


def heartbeat() -> datetime:
    return Process.objects.get(pk=this_process.process_id).heartbeat_at


async def test_heartbeat__is_not_part_of_every_commit():
    journal = get_gateway().journal
    await db.writer.call(this_process.beat, datetime.now(UTC))
    await journal.submit(state(1))
    first = await db.read(heartbeat)
    await journal.submit(state(2))
    assert await db.read(heartbeat) == first


async def test_heartbeat__that_was_rolled_back__is_written_with_the_next_commit(faults, monkeypatch):
    """`faults`: here every commit may be unclear, on SQLite, too."""
    monkeypatch.setattr(this_process, "_beat", -math.inf)
    faults.commits.append("lost")
    began = datetime.now(UTC)
    await get_gateway().journal.submit(state(1))
    assert await db.read(heartbeat) > began


async def test_number_of_a_batch__is_written_where_a_commit_may_be_unclear():
    """One row for each journal, made once; on SQLite none."""
    journal = get_gateway().journal
    for number in range(3):
        await journal.submit(state(number))
    written = await db.read(lambda: list(JournalCommit.objects.values_list("batch", flat=True)))
    assert written == ([] if connection.vendor == "sqlite" else [3])

"""When the database is unavailable, events wait: none is lost or written twice, and the numbers have no gaps."""

import asyncio
import threading
import time
from collections.abc import Callable

import pytest
from django.db import connection

from test_framework.journal_operations import Failing, Lend, state, states
from test_framework.ssot.factories import GOOGLE, create_test_manager
from websocket_core.conf import conf
from websocket_core.database import db
from websocket_core.errors import JournalUnavailable, LeaseLostError, NotFound
from websocket_core.gateway import get_gateway
from websocket_core.journal import Append, Operation, Transaction
from websocket_core.models import Thread
from websocket_core.process import metrics
from websocket_core.testing.sockets import RecordingWebSocket

pytestmark = pytest.mark.usefixtures("each_database")


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "commits",
    [
        ["unclear"],
        ["lost"],
        ["lost", "unclear"],
        ["lost", "lost", "lost"],
        ["unclear", "works", "lost", "works", "unclear"],
    ],
    ids=" ".join,
)
async def test_commit_that_breaks__is_done_once(faults, commits):
    """ "unclear": it has happened, and the connection broke on the way back. That must not be done again."""
    journal = get_gateway().journal
    await journal.submit(state("before"))
    faults.commits.extend(commits)
    first = [journal.post(state(number)) for number in range(5)]
    assert [await future for future in first] == [2, 3, 4, 5, 6]
    for number in range(5, 8):
        assert await journal.submit(state(number)) == number + 2
    assert await states() == ["before", *range(8)]


async def test_unclear_commit__is_told_once(faults):
    manager, websocket = create_test_manager(thread_id="t"), RecordingWebSocket()
    await manager.add_connection(websocket)
    faults.commits.append("unclear")
    assert await manager.emit_critical_event(GOOGLE, "agent_state", {"state": 1}) is True
    assert await manager.emit_critical_event(GOOGLE, "agent_state", {"state": 2}) is True
    await get_gateway().journal.flush()
    assert [frame["seq"] for frame in websocket.frames] == [1, 2]


async def test_unclear_commit__with_a_refusal_in_it(faults):
    """Results and errors of the transaction that did happen are the ones that are handed out."""
    journal = get_gateway().journal
    token = await journal.submit(Lend())
    faults.commits.append("unclear")
    good, refused, late = [
        journal.post(op) for op in (state(1, fence=token), Failing(NotFound()), state(2, fence=token - 1))
    ]
    assert await good == 1
    with pytest.raises(NotFound):
        await refused
    with pytest.raises(LeaseLostError):
        await late
    assert await states() == [1]


async def test_unclear_commit__of_a_lease__is_not_taken_twice(faults):
    faults.commits.append("unclear")
    assert await get_gateway().journal.submit(Lend()) == 1
    assert await db.read(lambda: Thread.objects.get().fence) == 1


async def test_away_for_a_while__delays_and_loses_nothing(faults):
    journal = get_gateway().journal
    await journal.submit(state(0))
    faults.away = True
    futures = [journal.post(state(number)) for number in range(1, 50)]
    tried = faults.transactions
    await until(lambda: faults.transactions >= tried + 3)
    futures += [journal.post(state(number)) for number in range(50, 100)]
    assert not any(future.done() for future in futures)
    faults.away = False
    assert await asyncio.gather(*futures) == list(range(2, 101))
    assert await states() == list(range(100))


async def test_away__is_said_once_and_not_for_every_try(faults, caplog):
    faults.away = True
    before = metrics.journal_retries._value.get()
    future = get_gateway().journal.post(state())
    await until(lambda: faults.transactions >= 4)
    faults.away = False
    await future
    assert len([record for record in caplog.records if "database unavailable" in record.getMessage()]) == 1
    assert metrics.journal_retries._value.get() - before >= 3


async def test_deadline__journal_unavailable_and_nothing_written(faults, settings):
    settings.NETRA_JOURNAL_TIMEOUT = 0.3
    faults.away = True
    began = time.monotonic()
    with pytest.raises(JournalUnavailable, match="try again"):
        await get_gateway().journal.submit(state("late"))
    assert 0.3 <= time.monotonic() - began < 10
    faults.away = False
    assert await get_gateway().journal.submit(state("good")) == 1
    assert await states() == ["good"]


class Patient(Operation[str]):
    """Waits as long as the process lives, as the end of a run does."""

    __slots__ = ()

    def apply(self, transaction: Transaction) -> str:
        return "done"


async def test_deadline__not_for_the_patient(faults, settings):
    settings.NETRA_JOURNAL_TIMEOUT = 0.2
    faults.away = True
    journal = get_gateway().journal
    patient, impatient = journal.post(Patient(patient=True)), journal.post(state("late"))
    with pytest.raises(JournalUnavailable):
        await impatient
    assert not patient.done()
    faults.away = False
    assert await patient == "done"


async def test_deadline__also_of_what_waits_behind_the_batch_that_is_stuck(faults, settings):
    settings.NETRA_JOURNAL_TIMEOUT = 0.2
    faults.away = True
    journal = get_gateway().journal
    patient = journal.post(Patient(patient=True))
    await until(lambda: faults.transactions > 0)
    with pytest.raises(JournalUnavailable):
        async with asyncio.timeout(10):
            await journal.submit(state("behind"))
    assert not patient.done()
    assert journal.backlog == 0
    faults.away = False
    assert await patient == "done"


async def test_deadline__makes_room_for_who_waits_for_a_place(faults, settings):
    settings.NETRA_JOURNAL_TIMEOUT, settings.NETRA_JOURNAL_QUEUE = 0.5, 5
    faults.away = True
    journal = get_gateway().journal
    journal.post(Patient(patient=True))
    await until(lambda: faults.transactions > 0)
    tasks = [asyncio.create_task(journal.submit(state(number))) for number in range(15)]
    async with asyncio.timeout(15):
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(result) for result in results} == {JournalUnavailable}


async def test_deadline__not_while_a_commit_is_unclear(faults, settings):
    """It may have happened: to say that nothing was written could be wrong."""
    settings.NETRA_JOURNAL_TIMEOUT = 0.1
    faults.commits.append("unclear")
    future = get_gateway().journal.post(state("unclear"))
    await until(lambda: not faults.commits)
    faults.away = True
    tried = faults.transactions
    await until(lambda: faults.transactions >= tried + 3)
    assert not future.done()
    faults.away = False
    assert await future == 1
    assert await states() == ["unclear"]


async def test_deadline__takes_the_later_events_of_the_run_with_it(faults, settings):
    """Else the journal could have a tool's end without its beginning."""
    settings.NETRA_JOURNAL_TIMEOUT = 0.6
    faults.away = True
    journal = get_gateway().journal
    patient = journal.post(Patient(patient=True))
    await until(lambda: faults.transactions > 0)
    early = journal.post(state("early"))
    await asyncio.sleep(0.4)
    later, other_run, delta = (
        journal.post(state("later")),
        journal.post(state("other run", run="r2")),
        journal.post(Append(GOOGLE, "t", "r", None, "agent_thinking", "", "s", "x")),
    )
    with pytest.raises(JournalUnavailable):
        await early
    assert isinstance(later.exception(), JournalUnavailable)
    assert isinstance(delta.exception(), JournalUnavailable)
    assert not other_run.done()
    faults.away = False
    assert await patient == "done"
    assert await other_run == 1
    assert await states() == ["other run"]


@pytest.mark.parametrize("each_database", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
async def test_broken_connections__are_replaced(each_database):
    """A restart of the database breaks every thread's connection; that costs a second try, and no error."""
    journal = get_gateway().journal
    await journal.submit(state(1))
    meeting = threading.Barrier(conf.DB_THREADS)

    def cut(at_once: bool = False) -> None:
        connection.ensure_connection()
        connection.connection.close()
        if at_once:
            meeting.wait(20)  # so that every reading thread has its turn

    await db.writer.call(cut)
    assert await journal.submit(state(2)) == 2
    await asyncio.gather(*[db.readers.call(cut, True) for _ in range(conf.DB_THREADS)])
    assert await asyncio.gather(*[db.read(Thread.objects.count) for _ in range(8)]) == [1] * 8
    assert await states() == [1, 2]

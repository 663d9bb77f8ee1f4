"""The journal: numbers without gaps, batches that gather by themselves, a bounded queue, one culprit per failure."""

import asyncio
from typing import Any

import msgspec
import pytest
from django.db import IntegrityError, transaction

from test_framework.journal_operations import Failing, Violating, blocked, rows, state, states
from test_framework.ssot.factories import GITHUB, GOOGLE, create_test_context, create_test_manager
from websocket_core.bell.thread_bell import thread_bell
from websocket_core.database import db
from websocket_core.errors import LeaseLostError, NotFound, WebSocketCoreError
from websocket_core.gateway import get_gateway
from websocket_core.journal import Journal, Operation, Transaction, commit_now
from websocket_core.models import Thread
from websocket_core.process import metrics
from websocket_core.testing.sockets import RecordingWebSocket

pytestmark = pytest.mark.usefixtures("each_database")


# Numbers and frames


async def test_append__numbers_from_one_and_returns_them():
    journal = get_gateway().journal
    assert [await journal.submit(state(number)) for number in range(5)] == [1, 2, 3, 4, 5]
    assert await states() == [0, 1, 2, 3, 4]


async def test_append__frame_is_the_final_text():
    await get_gateway().journal.submit(state("ä"))
    ((seq, kind, frame),) = await db.read(rows)
    event = msgspec.json.decode(frame)
    assert (seq, kind) == (1, "agent_state")
    assert list(event) == ["event_type", "thread_id", "run_id", "seq", "timestamp", "data"]
    assert (event["thread_id"], event["run_id"], event["seq"], event["data"]) == ("t", "r", 1, {"state": "ä"})


async def test_append__threads_and_users_count_for_themselves():
    keys = [(user, thread) for user in (GOOGLE, GITHUB) for thread in ("t", "other")]
    futures = [
        get_gateway().journal.post(state(n, user=user, thread=thread)) for n in range(3) for user, thread in keys
    ]
    assert [await future for future in futures] == [1] * 4 + [2] * 4 + [3] * 4
    for key in keys:
        assert await states(*key) == [0, 1, 2]


async def test_append__many_at_once__in_the_order_they_were_given():
    futures = [get_gateway().journal.post(state(number)) for number in range(3000)]
    assert await asyncio.gather(*futures) == list(range(1, 3001))
    assert await states() == list(range(3000))


async def test_append__threads_moved_together__each_have_a_time_of_their_own():
    """`sync` pages by it: of threads with the same time a page would show some, and no page the others."""
    futures = [get_gateway().journal.post(state(thread=f"t{number}")) for number in range(100)]
    await asyncio.gather(*futures)
    times = await db.read(lambda: list(Thread.objects.values_list("updated_at", flat=True)))
    assert len(set(times)) == 100


async def test_append__from_two_event_loops_at_once():
    async def work(name: str) -> None:
        for number in range(50):
            await get_gateway().journal.submit(state([name, number]))

    await asyncio.gather(work("here"), asyncio.to_thread(asyncio.run, work("there")))
    found = await states()
    assert [number for name, number in found if name == "here"] == list(range(50))
    assert [number for name, number in found if name == "there"] == list(range(50))


# Group commit


async def test_idle__an_event_is_committed_at_once():
    journal, before = get_gateway().journal, metrics.batches._value.get()
    for number in range(3):
        await journal.submit(state(number))
    assert metrics.batches._value.get() - before == 3


async def test_busy__what_comes_meanwhile_is_one_batch():
    blocker, before = await blocked(), metrics.batches._value.get()
    futures = [get_gateway().journal.post(state(number)) for number in range(500)]
    assert get_gateway().journal.backlog == 500
    blocker.release.set()
    await asyncio.gather(*futures)
    assert metrics.batches._value.get() - before == 2
    assert await states() == list(range(500))


async def test_burst__those_who_come_turn_after_turn_share_a_batch():
    """Fifty agents whose tokens come together do not wake in the same turn of the loop."""
    before = metrics.batches._value.get()

    async def late(turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        seq: int = await get_gateway().journal.post(state(turns))
        return seq

    assert await asyncio.gather(*(late(turns) for turns in range(3))) == [1, 2, 3]
    assert metrics.batches._value.get() - before == 1


async def test_burst__that_does_not_end__is_not_waited_for(settings):
    settings.NETRA_JOURNAL_BATCH = 10**9
    done = False

    async def without_end() -> None:
        while not done:
            get_gateway().journal.post(state())
            await asyncio.sleep(0)

    endless = asyncio.create_task(without_end())
    try:
        async with asyncio.timeout(20):
            await get_gateway().journal.submit(state())
    finally:
        done = True
        await endless


async def test_batch__has_bounds(settings):
    settings.NETRA_JOURNAL_BATCH = 10
    blocker, before = await blocked(), metrics.batches._value.get()
    futures = [get_gateway().journal.post(state(number)) for number in range(35)]
    blocker.release.set()
    await asyncio.gather(*futures)
    assert metrics.batches._value.get() - before == 1 + 4


async def test_batch__has_a_bound_of_characters(settings):
    settings.NETRA_JOURNAL_BATCH_CHARS = 10_000
    blocker, before = await blocked(), metrics.batches._value.get()
    futures = [get_gateway().journal.post(state("x" * 9_000)) for _ in range(6)]
    blocker.release.set()
    await asyncio.gather(*futures)
    assert metrics.batches._value.get() - before == 1 + 3


async def test_flush__waits_for_everything():
    for number in range(100):
        get_gateway().journal.post(state(number))
    await get_gateway().journal.flush()
    assert get_gateway().journal.backlog == 0
    assert await states() == list(range(100))


# A failure has one culprit


@pytest.mark.parametrize(
    "culprit",
    [Failing(NotFound("no such thing")), Failing(ValueError("a bug")), Failing(StopIteration()), Violating()],
    ids=["refusal", "bug", "a bug that a future cannot carry", "constraint"],
)
async def test_failing_operation__does_not_spoil_its_batch(culprit):
    blocker = await blocked()
    journal = get_gateway().journal
    before = [journal.post(state(number)) for number in range(5)]
    failing = journal.post(culprit)
    after = [journal.post(state(number)) for number in range(5, 10)]
    blocker.release.set()
    with pytest.raises((NotFound, ValueError, RuntimeError, IntegrityError)):
        await failing
    assert await asyncio.gather(*before, *after) == list(range(1, 11))
    assert await states() == list(range(10))


async def test_collision_with_another_process__is_looked_at_again():
    class Beaten(Operation[str]):
        """Somebody else has inserted the same thing in the moment between the look and the write."""

        tries = 0

        def apply(self, transaction: Transaction) -> str:
            self.tries += 1
            if self.tries == 1:
                raise IntegrityError
            return "found theirs"

    assert await get_gateway().journal.submit(Beaten()) == "found theirs"


async def test_failing_operation__of_the_wires_kind__costs_no_second_transaction(caplog):
    blocker, before = await blocked(), metrics.batches._value.get()
    failing = get_gateway().journal.post(Failing(NotFound()))
    good = get_gateway().journal.post(state())
    blocker.release.set()
    await asyncio.gather(failing, good, return_exceptions=True)
    assert metrics.batches._value.get() - before == 2
    assert isinstance(failing.exception(), WebSocketCoreError)
    assert "Traceback" not in caplog.text


async def test_cancelled_submitter__its_event_stands():
    blocker = await blocked()
    task = asyncio.create_task(get_gateway().journal.submit(state("cancelled")))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    good = get_gateway().journal.post(state("good"))
    blocker.release.set()
    assert await good == 2
    assert await states() == ["cancelled", "good"]


# Back-pressure


async def test_full__who_submits_waits_and_nothing_is_lost(settings):
    settings.NETRA_JOURNAL_QUEUE = 20
    journal, blocker = get_gateway().journal, await blocked()
    tasks = [asyncio.create_task(journal.submit(state(number))) for number in range(100)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert journal.full
    assert journal.backlog == 20
    blocker.release.set()
    assert await asyncio.gather(*tasks) == list(range(1, 101))
    assert await states() == list(range(100))
    assert not journal.full


async def test_full__of_characters(settings):
    settings.NETRA_JOURNAL_QUEUE_CHARS = 50_000
    journal, blocker = get_gateway().journal, await blocked()
    tasks = [asyncio.create_task(journal.submit(state("x" * 20_000))) for _ in range(10)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert journal.backlog == 3
    blocker.release.set()
    assert await asyncio.gather(*tasks) == list(range(1, 11))


async def test_full__who_gives_up_waiting_passes_the_place_on(settings):
    settings.NETRA_JOURNAL_QUEUE = 1
    journal, blocker = get_gateway().journal, await blocked()
    tasks = [asyncio.create_task(journal.submit(state(number))) for number in range(10)]
    for _ in range(5):
        await asyncio.sleep(0)
    for task in tasks[1:9:2]:
        task.cancel()
    blocker.release.set()
    await asyncio.wait(tasks, timeout=20)
    assert all(task.done() for task in tasks)
    assert await states() == [0, 2, 4, 6, 8, 9]


async def test_full__who_is_cancelled_in_the_moment_of_getting_a_place_passes_it_on(settings, monkeypatch):
    settings.NETRA_JOURNAL_QUEUE = 1
    journal, blocker = get_gateway().journal, await blocked()
    journal.post(state("first"))
    cancelled, patient = [asyncio.create_task(journal.submit(state(name))) for name in ("cancelled", "patient")]
    await asyncio.sleep(0)
    admit = journal._admit_waiters

    def admit_and_cancel() -> None:
        waiting = len(journal._room)
        admit()
        if len(journal._room) < waiting:
            cancelled.cancel()

    monkeypatch.setattr(journal, "_admit_waiters", admit_and_cancel)
    blocker.release.set()
    await asyncio.wait([cancelled])
    async with asyncio.timeout(10):
        assert await patient == 2
    assert await states() == ["first", "patient"]


# From code without an event loop


async def test_commit_now__from_a_thread_without_a_loop():
    manager = create_test_manager(thread_id="t")
    await manager.emit_critical_event(GOOGLE, "agent_state", {"state": "before"})
    assert await db.read(commit_now, state("now")) == 2
    with pytest.raises(LeaseLostError):
        await db.read(commit_now, state("late", fence=5))
    assert await states() == ["before", "now"]


@pytest.mark.parametrize("committed", [True, False], ids=["committed", "rolled back"])
async def test_commit_now__within_a_callers_transaction__rings_when_that_is_committed(committed):
    """A view under `ATOMIC_REQUESTS`: nobody sees an event that may never be."""
    manager, websocket = create_test_manager(thread_id="t"), RecordingWebSocket()
    await manager.emit_critical_event(GOOGLE, "agent_state", {"state": "before"})
    await manager.add_connection(websocket)
    told = asyncio.get_running_loop()
    seen: list[int] = []

    def view() -> None:
        with transaction.atomic():
            assert commit_now(state("now")) == 2
            assert thread_bell.flush(10)  # whatever was rung has gone out
            asyncio.run_coroutine_threadsafe(get_group_messages(), told).result(10)
            seen.append(len(websocket.frames))
            if not committed:
                transaction.set_rollback(True)

    async def get_group_messages() -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    await db.read(view)
    assert seen == [0]
    assert await states() == ["before", "now"][: 1 + committed]
    if committed:
        async with asyncio.timeout(20):
            while not websocket.frames:  # noqa: ASYNC110 - another thread rings
                await asyncio.sleep(0.01)
        assert [frame["seq"] for frame in websocket.frames] == [2]


async def test_journal__is_one_per_loop():
    assert get_gateway().journal is get_gateway().journal
    assert isinstance(get_gateway().journal, Journal)
    other = await asyncio.to_thread(asyncio.run, _journal_here())
    assert other is not get_gateway().journal


async def _journal_here() -> Journal:
    return get_gateway().journal


async def test_manager__refuses_before_anything_is_queued():
    context = create_test_context()
    manager = create_test_manager(thread_id=context.thread_id)
    wrongs: list[tuple[str, Any]] = [
        ("nonsense", {}),
        ("agent_state", {"state": {1}}),
        ("agent_state", {"state": "x" * 300_000}),
    ]
    for kind, data in wrongs:
        with pytest.raises(ValueError, match=r"unknown event type|JSON|at most"):
            await manager.emit_critical_event(GOOGLE, kind, data)
    assert get_gateway().journal.backlog == 0
    assert await db.read(Thread.objects.count) == 0

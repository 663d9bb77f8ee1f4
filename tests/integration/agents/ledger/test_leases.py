"""Leases are kept by the database's clock: machines whose own clocks are wrong neither lose runs nor keep them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from netra.agents.executors.inline import InlineExecutor
from netra.agents.ledger import statements as ledger_sql
from netra.agents.ledger.endings import ReapRun
from netra.agents.ledger.leases import FinishRun, Remember, RestRun
from netra.agents.ledger.moves import Event, Lease
from netra.agents.ledger.neglected import stale_runs
from netra.agents.ledger.starts import Started, StartRun
from netra.agents.models import Run
from netra.agents.running.keeper import _renew
from netra.agents.service import get_runtime
from test_framework.journal_operations import state
from websocket_core.database import db
from websocket_core.errors import LeaseLostError
from websocket_core.gateway import get_gateway
from websocket_core.ids import ThreadID, UserID
from websocket_core.journal import Operation, commit_now
from websocket_core.journal import transaction as journal_transaction
from websocket_core.models import Connection, Process
from websocket_core.models import Event as EventRow
from websocket_core.process import heartbeat as process
from websocket_core.process.heartbeat import this_process
from websocket_core.protocols.run_service import StartRequest

KEY = (UserID("ada"), ThreadID("t"))


def request(run_id: str) -> StartRequest:
    return StartRequest(user_id=KEY[0], agent_type="test", thread_id=KEY[1], run_id=run_id)


def start() -> Lease:
    started: Started = commit_now(
        StartRun(request("r"), "{}", worker_id=this_process.process_id, executor=InlineExecutor())
    )
    assert started.lease is not None
    return started.lease


# SQLite is on one machine: there is one clock.
@pytest.mark.parametrize("each_database", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
@pytest.mark.parametrize("seconds", [-3600, -20, 20, 3600])
def test_a_machine_whose_clock_is_wrong__its_lease_lasts_as_long_as_any(each_database, monkeypatch, seconds):
    class Wrong(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(seconds=seconds)

    with monkeypatch.context() as patch:
        for module in (journal_transaction, process, ledger_sql):
            patch.setattr(module, "datetime", Wrong)
        lease = start()
        assert stale_runs() == []
        _renew([lease.run_pk], lease.worker_id)
    until = Run.objects.get().lease_until
    assert until is not None
    assert timedelta(seconds=5) < until - datetime.now(UTC) < timedelta(seconds=25)


def test_a_lease_that_ran_out__is_found_and_its_run_ended_once(each_database):
    lease = start()
    reap = ReapRun(*KEY, lease.run_pk, retry=False, executor=InlineExecutor())
    assert stale_runs() == []
    assert commit_now(reap) is False
    Run.objects.update(lease_until=Now() - timedelta(seconds=1))
    assert stale_runs() == [("ada", "t", lease.run_pk, "test")]
    assert commit_now(reap) is True
    assert commit_now(reap) is False
    run = Run.objects.get()
    assert (run.status, run.code, run.lease_until) == ("failed", "worker_lost", None)


def test_a_process_that_was_paused_and_taken_for_dead__is_alive_again(each_database):
    now = datetime.now(UTC)
    this_process.beat(now - timedelta(seconds=90))
    process.bury()  # somebody looks around
    assert Process.objects.get(pk=this_process.process_id).stopped_at is not None
    this_process.beat(now)
    assert Process.objects.get(pk=this_process.process_id).stopped_at is None


@pytest.mark.usefixtures("each_database")
@pytest.mark.parametrize("followed", [False, True])
async def test_ended_run__whoever_still_holds_its_lease_writes_nothing(followed):
    """Not by the token alone: the thread's place is empty, or another run's, and this one never gets it again."""

    def start(run_id: str) -> StartRun:
        return StartRun(request(run_id), "{}", worker_id="w", executor=InlineExecutor())

    journal = get_gateway().journal
    lease = (await journal.submit(start("r"))).lease
    assert lease is not None
    if followed:
        await journal.submit(start("r2"))
    ending = FinishRun(lease, [], Event("agent_completed", {"result": 1}))
    following = await journal.submit(ending)
    assert (following is not None) == followed
    before = await db.read(EventRow.objects.count)
    late: list[Operation[object]] = [
        state("late", user=KEY[0], run="r", fence=lease.fence),
        Remember(lease, "key", b"late"),
        RestRun(lease, b"late"),
        FinishRun(lease, [], Event("agent_failed", {"code": "timeout", "message": "late"})),
    ]
    for operation in late:
        with pytest.raises(LeaseLostError):
            await journal.submit(operation)
    assert await db.read(EventRow.objects.count) == before
    assert await db.read(lambda: Run.objects.get(run_id="r").status) == "completed"
    if following is not None:  # and its own goes on
        await journal.submit(state("on", user=KEY[0], run="r2", fence=following.fence))


@pytest.mark.usefixtures("each_database")
async def test_dead_server__with_many_connections_is_buried_in_pages(monkeypatch):
    """Whoever buries it holds nobody's events up for as long as all of them take."""
    monkeypatch.setattr(process, "BURIED_AT_ONCE", 4)
    now = datetime.now(UTC)

    def seed() -> None:
        dead = Process.objects.create(
            process_id="dead", kind="server", host="h", pid=1, started_at=now, heartbeat_at=now - timedelta(hours=1)
        )
        for number in range(10):
            Connection.objects.create(
                connection_id=f"c{number}",
                user_id="u",
                process=dead,
                credential="token",
                connected_at=now,
                last_seen_at=now,
            )

    await db.read(seed)
    assert await db.write(process.bury, 4)
    assert await db.read(Connection.objects.filter(disconnected_at=None).count) == 6
    assert await db.read(lambda: Process.objects.get(pk="dead").stopped_at) is None  # who dies here is followed
    await process.look_after_processes()
    assert await db.read(Connection.objects.filter(disconnected_at=None).count) == 0
    assert await db.read(lambda: Process.objects.get(pk="dead").stopped_at) is not None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("when", ["at once", "while it is given its time"])
async def test_lost_after_it_was_stopped__nothing_is_written_any_more(join, make, settings, when: str) -> None:
    """Whoever has the lease by now ends the run."""
    settings.NETRA_STOP_GRACE_SECONDS = 0.5
    began, stopped = asyncio.Event(), asyncio.Event()

    async def stubborn(ctx, input):
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.set()
            await asyncio.Event().wait()

    make(stubborn)
    client = await join()
    run = await client.start("made")
    await asyncio.wait_for(began.wait(), 20)
    runner = get_runtime().runner
    (held,) = runner._held.values()
    execution = held.execution
    assert execution is not None
    execution.stop("stopped")
    if when == "while it is given its time":
        await asyncio.wait_for(stopped.wait(), 20)
    execution.stop("lost")
    await asyncio.wait_for(runner.idle(), 20)
    assert not runner._held
    await get_gateway().journal.flush()
    rows = EventRow.objects.filter(run_id=run["run_id"]).values_list("event_type", flat=True)
    assert await db.read(list, rows) == ["agent_started"]

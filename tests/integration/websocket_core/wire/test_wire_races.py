"""Runs that are stopped, decided or cut off from the database in the worst moment: still whole, legal runs."""

import asyncio
import threading
from contextlib import suppress
from typing import Any

import pytest
from django.utils import timezone

from netra.agents.ledger import statements as ledger_sql
from netra.agents.ledger.approvals import DecideApproval, RequestApproval
from netra.agents.ledger.endings import StopRun
from netra.agents.models import Run
from netra.agents.service import RunRuntime
from netra.agents.service.dispatcher import Dispatcher
from netra.testing.database import DatabaseFaults
from test_framework.gateway import Join, MakeAgent, kinds, outcome
from test_framework.ssot.factories import GOOGLE, create_test_manager
from websocket_core.gateway import get_gateway
from websocket_core.journal import reading as journal_read
from websocket_core.models import Thread

pytestmark = pytest.mark.django_db(transaction=True)


async def test_stop_in_the_moment_of_asking__the_approval_is_closed(join, make):
    """The question is being committed when the run is stopped: it has been asked, so it has to be resolved."""
    real, asking, go_on = RequestApproval.apply, asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def slow(self: Any, transaction: Any) -> None:
        loop.call_soon_threadsafe(asking.set)
        assert go_on.wait(20)
        real(self, transaction)

    async def body(ctx, input):
        task = asyncio.create_task(ctx.approve("May I?"))
        await asking.wait()
        task.cancel()
        loop.call_later(0.05, go_on.set)
        await asyncio.wait([task])

    make(body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RequestApproval, "apply", slow)
        events, _ = await outcome(join)
    assert kinds(events)[1:] == ["approval_requested", "approval_resolved", "agent_completed"]


async def test_decided_and_stopped_at_once__is_resolved_once(join, make):
    async def body(ctx, input):
        await ctx.approve("May I?")
        await asyncio.Event().wait()

    make(body)
    client = await join()
    run = await client.start("made")
    asked = await client.until("approval_requested")
    user, thread, run_id = GOOGLE, run["thread_id"], run["run_id"]
    decide = DecideApproval(user, thread, run_id, asked["data"]["approval_id"], approved=True, value=None, by="user")
    await asyncio.gather(
        get_gateway().journal.submit(decide),
        get_gateway().journal.submit(StopRun(user, thread, run_id, "stopped", actor_id=user)),
    )
    events = await client.finish(run)
    assert kinds(events).count("approval_resolved") == 1


async def test_outage_longer_than_patience__ends_as_journal_unavailable_without_a_hole(
    join: Join, make: MakeAgent, faults: DatabaseFaults, settings: Any
):
    settings.NETRA_JOURNAL_TIMEOUT = 0.5
    ready, go = asyncio.Event(), asyncio.Event()

    async def body(ctx, input):
        ready.set()
        await go.wait()
        with suppress(Exception):  # an author who catches everything
            async with ctx.tool("search") as call:
                call.result = 1
        return "all is well"

    make(body)
    client = await join()
    run = await client.start("made")
    await ready.wait()
    faults.away = True
    go.set()
    await asyncio.sleep(2)
    faults.away = False
    events = await client.finish(run)
    assert kinds(events) == ["agent_started", "agent_failed"]
    assert events[-1]["data"]["code"] == "journal_unavailable"


async def test_outage_longer_than_the_lease__the_run_goes_on(join, make, faults, settings):
    settings.NETRA_LEASE_SECONDS, settings.NETRA_HEARTBEAT_SECONDS, settings.NETRA_SWEEP_SECONDS = 1.0, 0.3, 0.05
    ready, go = asyncio.Event(), asyncio.Event()

    async def body(ctx, input):
        ready.set()
        await go.wait()
        return "done"

    make(body)
    client = await join()
    run = await client.start("made")
    await ready.wait()
    faults.away = True
    await asyncio.sleep(2.5)
    faults.away = False
    await asyncio.sleep(1)
    go.set()
    events = await client.finish(run)
    assert kinds(events) == ["agent_started", "agent_completed"]


async def test_run_id_again__while_its_run_begins__loses_nothing_of_it(join, monkeypatch):
    """The lost answer is asked for again on a new connection, and only now a worker has time for the run."""
    monkeypatch.setattr(Dispatcher, "executes", lambda self: False)  # it is for another process to take
    before = create_test_manager(thread_id="t", run_id="r0")
    await before.emit_critical_event(GOOGLE, "agent_started", {})
    await before.emit_critical_event(GOOGLE, "agent_completed", {"result": None, "duration_ms": 1})
    thread = await Thread.objects.aget()
    await Run.objects.acreate(owner_id=GOOGLE, run_id="r1", thread=thread, agent_type="test", created_at=timezone.now())
    client, manager = await join(), create_test_manager(thread_id="t", run_id="r1")
    real = RunRuntime.thread_states

    async def late(self: Any, *args: Any) -> Any:
        await manager.emit_critical_event(GOOGLE, "agent_started", {})
        return await real(self, *args)

    monkeypatch.setattr(RunRuntime, "thread_states", late)
    await client.send("start_agent", agent_type="test", thread_id="t", run_id="r1", request_id="again")
    frames = [await client.receive_json() for _ in range(3)]
    assert kinds(frames) == ["replaying", "agent_started", "resumed"]
    assert (frames[0]["from_seq"], frames[1]["run_id"]) == (3, "r1")


@pytest.mark.parametrize(("given", "code"), [("t2", "invalid_action"), (None, "")])
async def test_run_id_taken_by_another_process__in_this_moment(join, monkeypatch, caplog, given, code):
    """The other process has not committed when this one looks, and has when this one writes."""
    client = await join()
    run = await client.finish(await client.start("test", thread_id="t1", run_id="r1"))
    real = ledger_sql.run_and_open_runs
    monkeypatch.setattr(
        "netra.agents.ledger.statements.run_and_open_runs",
        lambda *args: [row for row in real(*args) if row.run_id != "r1"],
    )
    monkeypatch.setattr("netra.agents.ledger.reading.find_run", lambda *args: None)
    await client.send("start_agent", agent_type="test", thread_id=given, run_id="r1", request_id="q")
    answer = await client.receive_json()
    assert answer["request_id"] == "q"
    assert answer.get("code", "") == code
    if not code:
        assert (answer["event_type"], answer["thread_id"], answer["to_seq"]) == ("replaying", "t1", len(run))
        await client.until("resumed")
    assert [thread["thread_id"] for thread in (await client.ask("sync"))["threads"]] == ["t1"]
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_first_resume__that_takes_longer_than_the_first_action_may__goes_first_all_the_same(
    join, monkeypatch, settings
):
    """The database is slow: what happens meanwhile in the thread must not be told before what was missed."""
    settings.NETRA_FIRST_ACTION_SECONDS = 0.1
    writer = await join()
    run = await writer.start("test", thread_id="t")
    await writer.finish(run)
    reader = await join()
    real, reading, go_on = journal_read.bounds, threading.Event(), threading.Event()

    def slow(user_id: str, thread_ids: Any) -> Any:
        found = real(user_id, thread_ids)
        reading.set()
        assert go_on.wait(30)
        return found

    monkeypatch.setattr(journal_read, "bounds", slow)
    await reader.send("resume", cursors={"t": 1})
    assert await asyncio.to_thread(reading.wait, 30)
    await writer.finish(await writer.start("test", thread_id="t"))
    assert await reader.receive_nothing(0.3)
    go_on.set()
    first = await reader.receive_json()
    assert (first["event_type"], first.get("from_seq")) == ("replaying", 2)

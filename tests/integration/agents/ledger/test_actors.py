"""Who did it is kept beside whose it is: on runs, on decisions, and on those events that a person caused."""

from typing import Any

import pytest
from django.db import models

from netra.agents.executors.inline import InlineExecutor
from netra.agents.ledger.approvals import DecideApproval, RequestApproval
from netra.agents.ledger.endings import ReapRun, StopRun
from netra.agents.ledger.leases import FinishRun, RestRun
from netra.agents.ledger.moves import Event, Lease
from netra.agents.ledger.starts import Started, StartRun
from netra.agents.models import Decision, Run
from test_framework.journal_operations import blocked, state
from test_framework.ssot.factories import GOOGLE
from websocket_core.database import db
from websocket_core.gateway import get_gateway
from websocket_core.journal import Append, Operation, Transaction, commit_now
from websocket_core.models import Event as EventRow
from websocket_core.process.heartbeat import this_process
from websocket_core.protocols.run_service import StartRequest

pytestmark = pytest.mark.usefixtures("each_database")

KEY = ("ada", "t")
CANCELLED = Event("agent_cancelled", {"reason": "enough"})


def start(run_id: str, **options: Any) -> Started:
    request = StartRequest(user_id="ada", agent_type="test", thread_id="t", run_id=run_id, **options)
    made: Started = commit_now(StartRun(request, "{}", worker_id=this_process.process_id, executor=InlineExecutor()))
    return made


def leased(run_id: str) -> Lease:
    lease = start(run_id).lease
    assert lease is not None
    return lease


def ask(lease: Lease, approval_id: str) -> None:
    data = {"approval_id": approval_id, "tool_call_id": "c", "tool_name": "n", "message": "m", "arguments": {}}
    commit_now(RequestApproval(lease, data, 60))


def decide(approval_id: str, **by: Any) -> None:
    commit_now(DecideApproval(*KEY, "r", approval_id, approved=True, value=None, **by))


def actors(run_id: str) -> list[tuple[str, str]]:
    """Each event of a run, and who caused it."""
    return list(EventRow.objects.filter(run_id=run_id).order_by("seq").values_list("event_type", "actor_id"))


def test_start_answer_and_stop__name_who_did_them_and_nothing_else_names_anybody():
    lease = leased("r")
    ask(lease, "answered")
    ask(lease, "expired")
    commit_now(Append("ada", "t", "r", lease.fence, "agent_state", "{}"))
    decide("answered", by="user", actor_id="bob")
    decide("expired", by="expired")
    commit_now(StopRun(*KEY, "r", "enough", actor_id="eve"))
    commit_now(FinishRun(lease, [], CANCELLED))
    assert actors("r") == [
        ("agent_started", "ada"),
        ("approval_requested", ""),
        ("approval_requested", ""),
        ("agent_state", ""),
        ("approval_resolved", "bob"),
        ("approval_resolved", ""),
        ("agent_cancelled", "eve"),
    ]
    assert dict(Decision.objects.values_list("approval__approval_id", "actor_id")) == {"answered": "bob", "expired": ""}
    run = Run.objects.get()
    assert (run.owner_id, run.actor_id, run.stop_actor_id) == ("ada", "ada", "eve")


def test_stop_of_a_run_that_nobody_executes__names_who_stopped_it():
    lease = leased("r")
    start("waits")
    commit_now(StopRun(*KEY, "waits", "enough", actor_id="eve"))
    assert actors("waits") == [("run_queued", "ada"), ("agent_cancelled", "eve")]
    ask(lease, "asked")
    commit_now(RestRun(lease, b""))
    commit_now(StopRun(*KEY, "r", "enough", actor_id="eve"))
    assert actors("r")[-2:] == [("approval_resolved", ""), ("agent_cancelled", "eve")]


def test_stop_of_a_run_whose_worker_is_lost__names_who_stopped_it():
    lease = leased("r")
    commit_now(StopRun(*KEY, "r", "enough", actor_id="eve"))
    Run.objects.update(lease_until=models.F("created_at"))
    assert commit_now(ReapRun(*KEY, lease.run_pk, retry=True, executor=InlineExecutor()))
    assert actors("r")[-1] == ("agent_cancelled", "eve")


def test_run_that_is_replaced__names_who_started_the_other():
    leased("r")
    start("second")
    start("third", if_busy="cancel")
    assert actors("second")[-1] == ("agent_cancelled", "ada")
    assert Run.objects.get(run_id="r").stop_actor_id == "ada"


def test_run_that_ends_by_itself__names_nobody():
    commit_now(FinishRun(leased("r"), [], Event("agent_cancelled", {"reason": "its own wish"})))
    assert actors("r")[-1] == ("agent_cancelled", "")


class Fails(Operation[None]):
    """Appends an event of a person, and fails."""

    apart = True

    def apply(self, transaction: Transaction) -> None:
        row = transaction.thread(self.threads[0])
        transaction.append(row, "r", "agent_state", "{}")
        transaction.name_actor("eve")
        raise ZeroDivisionError


async def test_operation_that_fails__leaves_its_actor_to_no_other_event():
    await get_gateway().journal.submit(state("before"))
    blocker, journal = await blocked(), get_gateway().journal
    failed, after = journal.post(Fails(((GOOGLE, "t"),))), journal.post(state("after"))
    blocker.release.set()
    await after
    with pytest.raises(ZeroDivisionError):
        await failed
    assert not await db.read(EventRow.objects.exclude(actor_id="").exists)


async def test_events_of_one_batch_that_are_written_in_two_steps__keep_their_actors():
    """A run that rests is ended after a look at what it has open, for which all events so far are written."""
    lease = await db.write(leased, "r")
    await db.write(ask, lease, "asked")
    await db.write(commit_now, RestRun(lease, b""))
    blocker, journal = await blocked(), get_gateway().journal
    before = journal.post(state("before", user="ada", run="other"))
    stopped = journal.post(StopRun(*KEY, "r", "enough", actor_id="eve"))
    blocker.release.set()
    await before
    await stopped
    assert (await db.read(actors, "r"))[-1] == ("agent_cancelled", "eve")
    assert await db.read(actors, "other") == [("agent_state", "")]

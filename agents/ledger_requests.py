"""What people and the housekeeping ask of runs, as operations of the journal.

Start, stop, decide, and end what nobody holds any more.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

import msgspec
from django.db.models.functions import Now

from agents import ledger_sql
from agents.conf import conf
from agents.executors import Executor
from agents.ledger import Event, Lease, RunOperation, append, claim, decide_row, end, row_of
from agents.ledger_sql import RunRow
from agents.models import ACTIVE, OPEN, Approval, Decision, Run, RunStatus
from agents.open_runs import is_open
from websocket_core.errors import AlreadyDecided, InvalidAction, NotFound, RunFinished, RunLimit, ThreadBusy
from websocket_core.ids import new_id
from websocket_core.journal_transaction import ThreadRow, Transaction
from websocket_core.models import Event as EventModel
from websocket_core.models import Thread
from websocket_core.protocols import StartOutcome

TITLE_LENGTH = 80


class Started(NamedTuple):
    """Result of `StartRun`."""

    outcome: StartOutcome
    lease: Lease | None = None  # for the inline executor: execute it
    stopped: bool = False  # somebody has to be told to stop


class StartRun(RunOperation):
    """Create a run, or find the one that has its id; apply the thread's busy policy.

    Raises (from `apply`): InvalidAction, ThreadBusy, RunLimit.
    """

    __slots__ = (
        *("agent_type", "executor", "if_busy", "input", "request_id", "run_id", "thread_given", "trace", "worker_id"),
    )

    def __init__(
        self,
        user_id: str,
        thread_id: str,
        run_id: str,
        *,
        thread_given: bool,
        agent_type: str,
        input: str,
        if_busy: str,
        request_id: str | None,
        worker_id: str,
        executor: Executor,
    ) -> None:
        super().__init__(user_id, thread_id, creates=True, size=len(input) + 1024)
        self.run_id, self.thread_given, self.agent_type, self.input = run_id, thread_given, agent_type, input
        self.if_busy, self.request_id, self.worker_id, self.executor = if_busy, request_id, worker_id, executor
        self.trace = ""  # see `Run.trace`

    def apply(self, transaction: Transaction) -> Started:
        row = transaction.thread(self.key)
        accepted = False
        try:
            started = self._start(transaction, row)
            accepted = not started.outcome.existing
            return started
        finally:
            if not accepted and not row.last_seq:  # the thread may have been made for this start alone
                transaction.at_end.append(partial(_drop_unused, row))

    def _start(self, transaction: Transaction, row: ThreadRow) -> Started:
        user_id = self.key[0]
        known = ledger_sql.run_and_open_runs(user_id, self.run_id)
        if any(run.run_id == self.run_id for run in known):
            return self._existing(row)
        ahead = [run for run in known if run.thread_pk == row.pk]
        if ahead and self.if_busy == "reject":
            active = next((run for run in ahead if run.status != RunStatus.QUEUED), ahead[0])
            raise ThreadBusy(thread_id=self.key[1], run_id=self.run_id, active_run_id=active.run_id)
        if len(known) >= conf.RUNS_PER_USER:
            raise RunLimit(
                f"You have {len(known)} runs queued and running. Wait for one to end, or stop one.", run_id=self.run_id
            )
        pk = ledger_sql.insert_queued(
            user_id=user_id,
            run_id=self.run_id,
            thread_pk=row.pk,
            agent_type=self.agent_type,
            input=self.input,
            request_id=self.request_id or "",
            trace=self.trace,
            now=transaction.now,
        )
        if pk is None:  # the thread that is locked here is not the one in which the other process starts it
            return self._existing(row)
        stopped = False
        if ahead and self.if_busy == "cancel":
            ahead, stopped = self._replace(transaction, row, ahead)
        self._note_thread(transaction, row)
        outcome = StartOutcome(self.key[1], self.run_id, existing=False, first_seq=None)
        if ahead:
            data: dict[str, Any] = {"position": len(ahead)}
            if self.request_id is not None:
                data["request_id"] = self.request_id
            seq = append(transaction, row, self.run_id, Event("run_queued", data))
            Run.objects.filter(pk=pk).update(first_seq=seq)
            return Started(outcome, stopped=stopped)
        if self.executor.claims_at_start:
            status = RunStatus.QUEUED
            request_id = self.request_id or ""
            run = RunRow(
                pk, self.run_id, row.pk, status, None, False, self.agent_type, self.input, request_id, self.trace
            )
            return Started(outcome, claim(transaction, row, run, self.worker_id))
        self.executor.enqueue(Run.objects.get(pk=pk))
        return Started(outcome)

    def _existing(self, row: ThreadRow) -> Started:
        """What a start gets whose `run_id` was used before.

        Raises:
            InvalidAction: it names another thread than the run's.
        """
        run = Run.objects.select_related("thread").get(user_id=self.key[0], run_id=self.run_id)
        if self.thread_given and run.thread.thread_id != self.key[1]:
            raise InvalidAction("This run_id belongs to another thread.", field="thread_id", run_id=run.run_id)
        head = row.last_seq if run.thread.pk == row.pk else run.thread.last_seq
        return Started(
            StartOutcome(run.thread.thread_id, run.run_id, existing=True, first_seq=run.first_seq or head + 1)
        )

    def _replace(self, transaction: Transaction, row: ThreadRow, ahead: list[RunRow]) -> tuple[list[RunRow], bool]:
        """`if_busy: cancel`: queued runs end here, the active one is asked to stop. Returns who is still ahead."""
        active: list[RunRow] = []
        for run in ahead:
            if run.status == RunStatus.QUEUED:
                cancel_queued(transaction, row, run, "replaced")
            elif run.resting:
                end_resting(transaction, row, run, "replaced")
            else:
                request_stop(transaction, run.pk, "replaced")
                active.append(run)
        return active, bool(active)

    def _note_thread(self, transaction: Transaction, row: ThreadRow) -> None:
        """A thread's title is its first input; a deleted thread that is used again is there again."""
        if row.title and not row.deleted:
            return
        title = row.title or title_of(msgspec.json.decode(self.input), self.agent_type)
        Thread.objects.filter(pk=row.pk).update(title=title, deleted_at=None)


def _drop_unused(row: ThreadRow) -> None:
    """Delete a thread in which nothing ever was, by whatever else happened in this transaction."""
    if not row.last_seq:
        Thread.objects.filter(pk=row.pk, last_seq=0, runs=None).delete()


def title_of(input: Any, agent_type: str) -> str:
    """A thread's title out of its first input: the message, or whatever text comes first, on one line."""
    values = [input.get("message"), input.get("prompt"), *input.values()] if isinstance(input, dict) else [input]
    text = next((value for value in values if isinstance(value, str) and value.strip()), "")
    line = " ".join(text.split())
    if not line:
        return agent_type[:TITLE_LENGTH]
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rstrip() + "…"


def request_stop(transaction: Transaction, run_pk: int, reason: str) -> None:
    """Mark the wish; the worker sees it. The first wish counts."""
    Run.objects.filter(pk=run_pk, stop_requested_at=None).update(stop_requested_at=transaction.now, stop_reason=reason)


def cancel_queued(transaction: Transaction, row: ThreadRow, run: RunRow, reason: str) -> None:
    """End a run that has not started: `run_queued agent_cancelled`."""
    if run.first_seq is None:
        seq = append(transaction, row, run.run_id, Event("run_queued", {"position": 1}))
        Run.objects.filter(pk=run.pk).update(first_seq=seq)
    end(transaction, row, run.pk, run.run_id, [], Event("agent_cancelled", {"reason": reason}))


def end_resting(transaction: Transaction, row: ThreadRow, run: RunRow, reason: str) -> None:
    """End a run that rests: nobody holds it, so whoever wants it ended does it."""
    closers = open_ends(transaction, row, run, "cancelled")
    end(transaction, row, run.pk, run.run_id, closers, Event("agent_cancelled", {"reason": reason}))


def open_ends(
    transaction: Transaction, row: ThreadRow, run: RunRow, status: str, error: str = "Stopped."
) -> list[Event]:
    """Closing events for what the journal has open of a run whose process cannot tell any more."""
    transaction.flush_events()
    kinds = ("tool_executing", "tool_completed", "approval_requested", "approval_resolved")
    found = EventModel.objects.filter(
        thread_id=row.pk, run_id=run.run_id, event_type__in=kinds, seq__gte=run.first_seq or 0
    )
    tools: dict[str, str] = {}
    approvals: dict[str, None] = {}
    for event_type, frame in found.order_by("seq").values_list("event_type", "frame"):
        data = msgspec.json.decode(frame)["data"]
        if event_type == "tool_executing":
            tools[data["tool_call_id"]] = data.get("tool_name", "")
        elif event_type == "tool_completed":
            tools.pop(data.get("tool_call_id"), None)
        elif event_type == "approval_requested":
            approvals[data["approval_id"]] = None
        else:
            approvals.pop(data.get("approval_id"), None)
    closers = [
        Event("approval_resolved", {"approval_id": approval_id, "approved": False, "value": None, "by": "cancelled"})
        for approval_id in approvals
    ]
    return closers + [
        Event(
            "tool_completed",
            {"tool_call_id": call_id, "tool_name": name, "status": status, "error": error, "duration_ms": 0},
        )
        for call_id, name in tools.items()
    ]


def _run_of(transaction: Transaction, key: tuple[str, str], run_id: str) -> tuple[ThreadRow, Run]:
    row = transaction.rows.get(key)
    run = Run.objects.filter(thread_id=row.pk, run_id=run_id).first() if row is not None else None
    if row is None or run is None:
        raise NotFound("There is no such run.", run_id=run_id)
    return row, run


class StopRun(RunOperation):
    """Stop a run. Result: whether a worker has to be told.

    Raises (from `apply`): NotFound, RunFinished.
    """

    __slots__ = ("reason", "run_id")

    def __init__(self, user_id: str, thread_id: str, run_id: str, reason: str) -> None:
        super().__init__(user_id, thread_id)
        self.run_id, self.reason = run_id, reason

    def apply(self, transaction: Transaction) -> bool:
        row, run = _run_of(transaction, self.key, self.run_id)
        if run.status not in OPEN:
            raise RunFinished(run_id=self.run_id)
        if run.status == RunStatus.QUEUED:
            cancel_queued(transaction, row, row_of(run), self.reason)
            return False
        if run.resting:
            end_resting(transaction, row, row_of(run), self.reason)
            return False
        request_stop(transaction, run.pk, self.reason)
        return True


class Decided(NamedTuple):
    """Result of `DecideApproval`."""

    run_pk: int
    resting: bool  # the run rests and has every decision now: somebody has to go on with it


class DecideApproval(RunOperation):
    """Decide an approval, once.

    Raises (from `apply`): NotFound, AlreadyDecided.
    """

    __slots__ = ("approval_id", "approved", "by", "run_id", "value")

    def __init__(
        self, user_id: str, thread_id: str, run_id: str, approval_id: str, *, approved: bool, value: Any, by: str
    ) -> None:
        super().__init__(user_id, thread_id)
        self.run_id, self.approval_id, self.approved, self.value, self.by = run_id, approval_id, approved, value, by

    def apply(self, transaction: Transaction) -> Decided | AlreadyDecided:
        missing = NotFound("There is no such approval.", run_id=self.run_id)
        row = transaction.rows.get(self.key)
        approval = (
            Approval.objects.select_related("run")
            .filter(user_id=self.key[0], approval_id=self.approval_id, run__run_id=self.run_id)
            .first()
        )
        if row is None or approval is None or approval.run.thread_id != row.pk:
            raise missing
        decision = Decision.objects.filter(pk=approval.pk).first()
        if decision is not None:
            raise AlreadyDecided(
                run_id=self.run_id,
                decision={"approved": decision.approved, "value": msgspec.json.decode(decision.value)},
            )
        if self.by == "user" and approval.expires_at <= transaction.now:
            expired = DecideApproval(*self.key, self.run_id, self.approval_id, approved=False, value=None, by="expired")
            expired.apply(transaction)
            # Returned, not raised: the event stands, and this answer came too late, told as any other late answer.
            return AlreadyDecided(run_id=self.run_id, decision={"approved": False, "value": None})
        self._resolve(transaction, row, approval, approved=self.approved, value=self.value, by=self.by)
        more = approval.run.approvals.filter(decision=None).exists()
        if not more and not approval.run.resting:
            Run.objects.filter(pk=approval.run_id, status=RunStatus.WAITING).update(status=RunStatus.RUNNING)
        return Decided(approval.run_id, approval.run.resting and not more)

    def _resolve(
        self, transaction: Transaction, row: ThreadRow, approval: Approval, *, approved: bool, value: Any, by: str
    ) -> None:
        data = {"approval_id": self.approval_id, "approved": approved, "value": value, "by": by}
        decide_row(transaction, self.key[0], data)
        append(transaction, row, self.run_id, Event("approval_resolved", data))


class ReapRun(RunOperation):
    """End a run whose lease ran out: `agent_failed` `worker_lost`, or what its user had wished. Result: whether it
    was so.

    Args:
        retry: start a new run in its place.
    """

    __slots__ = ("executor", "retry", "run_pk", "terminal", "trace")

    def __init__(self, user_id: str, thread_id: str, run_pk: int, *, retry: bool, executor: Executor) -> None:
        super().__init__(user_id, thread_id)
        self.run_pk, self.retry, self.executor = run_pk, retry, executor
        self.trace, self.terminal = "", Event("", {})  # of the run that was ended; known when it was

    def apply(self, transaction: Transaction) -> bool:
        row = transaction.thread(self.key)
        run = Run.objects.filter(pk=self.run_pk, lease_until__lt=Now()).first()
        if run is None or row.active_run_id != run.run_id:
            return False
        closers = open_ends(transaction, row, row_of(run), "cancelled", "The worker was lost.")
        if run.stop_requested_at is not None:
            self.trace = run.trace
            self.terminal = Event("agent_cancelled", {"reason": run.stop_reason or "stopped"})
            end(transaction, row, run.pk, run.run_id, closers, self.terminal)
            return True
        data = {
            "code": "worker_lost",
            "message": "The process that ran the agent was lost. Nothing is repeated by itself; start again.",
        }
        if self.retry:
            data |= {
                "message": "The process that ran the agent was lost; a new run was started.",
                "retried_as": new_id(),
            }
        self.trace, self.terminal = run.trace, Event("agent_failed", data)
        end(transaction, row, run.pk, run.run_id, closers, self.terminal)
        if self.retry:
            again = Run.objects.create(
                user_id=run.user_id,
                run_id=data["retried_as"],
                thread_id=row.pk,
                agent_type=run.agent_type,
                input=run.input,
                request_id=run.request_id,
                trace=run.trace,
                created_at=transaction.now,
            )
            self.executor.enqueue(again)
        return True


def stale_runs() -> list[tuple[str, str, int, str]]:
    """`(user_id, thread_id, pk, agent_type)` of runs whose lease ran out, by the clock that it was taken by."""
    rows = Run.objects.filter(is_open(), status__in=ACTIVE, lease_until__lt=Now())
    return list(rows.values_list("user_id", "thread__thread_id", "pk", "agent_type")[:200])


def orphaned_threads(now: Any) -> list[tuple[str, str]]:
    """Threads with something to do and nobody who does it.

    Queued runs behind nothing, resting runs with every decision.
    """
    before = now - timedelta(seconds=2 * conf.SWEEP_SECONDS)
    free = {"thread__active_run_id": None, "thread__updated_at__lt": before}
    queued = Run.objects.filter(is_open(RunStatus.QUEUED), created_at__lt=before, **free)
    resting = Run.objects.filter(is_open(RunStatus.WAITING), resting=True).exclude(approvals__decision=None)
    found = {
        *queued.values_list("user_id", "thread__thread_id")[:200],
        *resting.values_list("user_id", "thread__thread_id")[:200],
    }
    return sorted(found)


def expired_approvals(now: Any) -> list[tuple[str, str, str, str]]:
    """`(user_id, thread_id, run_id, approval_id)` of approvals nobody decided in time."""
    waiting = Run.objects.filter(is_open(RunStatus.WAITING))
    rows = Approval.objects.filter(run__in=waiting, expires_at__lte=now, decision=None)
    return list(rows.values_list("user_id", "run__thread__thread_id", "run__run_id", "approval_id")[:200])

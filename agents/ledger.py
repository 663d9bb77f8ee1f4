"""The ledger of runs: operations that move a run's state together with the event that tells of it, in one transaction
of the journal.

Every operation locks the run's thread first, so two of them never meet in one run. They raise before they write.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from agents import ledger_sql
from agents.executors import get_executor
from agents.ledger_sql import RunRow
from agents.models import Approval, Decision, Memory, Run, RunStatus
from websocket_core import events
from websocket_core.errors import LeaseLostError
from websocket_core.journal_transaction import Operation, ThreadRow, Transaction

TERMINAL_STATUS = {
    "agent_completed": RunStatus.COMPLETED,
    "agent_failed": RunStatus.FAILED,
    "agent_cancelled": RunStatus.CANCELLED,
}


class Event(NamedTuple):
    """An event to append: its type and its data."""

    event_type: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to execute a run, until somebody with a larger fencing token has it."""

    run_pk: int
    user_id: str
    thread_id: str
    run_id: str
    agent_type: str
    input: Any
    fence: int
    worker_id: str
    request_id: str | None = None
    resting: bool = False  # it goes on after resting, instead of starting
    alone: bool = False  # the thread has had nothing before: there is no history to load
    trace: str = ""  # see `Run.trace`
    created_at: datetime | None = None  # when it was recorded, if it has waited


class RunOperation(Operation):
    """An operation on one thread's runs."""

    __slots__ = ("key",)

    def __init__(
        self, user_id: str, thread_id: str, *, creates: bool = False, patient: bool = False, size: int = 1024
    ) -> None:
        super().__init__(((user_id, thread_id),), creates=creates, patient=patient, size=size)
        self.key = (user_id, thread_id)


def append(transaction: Transaction, row: ThreadRow, run_id: str, event: Event) -> int:
    """Append one event of a run; returns its seq."""
    return transaction.append(row, run_id, event.event_type, events.encode(event.data))


def claim(transaction: Transaction, row: ThreadRow, run: RunRow, worker_id: str) -> Lease:
    """Give the run to a worker: a new fencing token, the thread's only active place, `agent_started`.

    A resting run goes on instead, without a second `agent_started`.
    """
    row.fence += 1
    row.active_run_id = run.run_id
    row.dirty = True
    alone = row.last_seq == 0
    value = msgspec.json.decode(run.input)
    seq = None
    if not run.resting:
        data = {"agent_type": run.agent_type, "input": value}
        if run.request_id:
            data["request_id"] = run.request_id
        seq = append(transaction, row, run.run_id, Event("agent_started", data))
    ledger_sql.mark_running(
        run.pk,
        worker_id=worker_id,
        started_at=None if run.resting else transaction.now,
        seq=seq,
    )
    return Lease(
        run.pk,
        row.user_id,
        row.thread_id,
        run.run_id,
        run.agent_type,
        value,
        row.fence,
        worker_id,
        run.request_id or None,
        resting=bool(run.resting),
        alone=alone,
        trace=run.trace,
        created_at=run.created_at,
    )


def next_queued(row: ThreadRow) -> RunRow | None:
    """The run that is next in the thread, when its place is free."""
    return None if row.active_run_id is not None else ledger_sql.next_queued(row.pk)


def end(
    transaction: Transaction,
    row: ThreadRow,
    run_pk: int,
    run_id: str,
    closers: Sequence[Event],
    terminal: Event,
    *,
    result: str = "",
    incident: str = "",
) -> None:
    """Close what is open, append the terminal event, free the thread's place. The caller has checked that it may."""
    for event in closers:
        # Somebody may have decided while the run was ending: that decision has its event already.
        if event.event_type != "approval_resolved" or decide_row(transaction, row.user_id, event.data):
            append(transaction, row, run_id, event)
    seq = append(transaction, row, run_id, terminal)
    reason = terminal.data.get("reason")
    ledger_sql.mark_ended(
        run_pk,
        status=TERMINAL_STATUS[terminal.event_type],
        seq=seq,
        result=result,
        code=terminal.data.get("code", ""),
        incident=incident,
        stop_reason=None if reason is None else reason[:1024],
        retried_as=terminal.data.get("retried_as", ""),
        now=transaction.now,
    )
    if row.active_run_id == run_id:
        row.active_run_id = None
        row.fence += 1  # whoever still holds the old token writes nothing any more
        row.dirty = True


def decide_row(transaction: Transaction, user_id: str, data: dict[str, Any]) -> bool:
    """The one decision of an approval; its primary key refuses a second. Returns whether it was made here."""
    approval = Approval.objects.filter(user_id=user_id, approval_id=data["approval_id"]).first()
    if approval is None:
        return True
    _, made = Decision.objects.get_or_create(
        approval=approval,
        defaults={
            "approved": data["approved"],
            "value": events.encode(data["value"]),
            "by": data["by"],
            "decided_at": transaction.now,
        },
    )
    return made


def digest(tool_name: str, arguments: str) -> str:
    """What an approval is bound to: the tool and its exact arguments."""
    return hashlib.sha256(f"{tool_name}\0{arguments}".encode()).hexdigest()


def _rested(row: ThreadRow) -> RunRow | None:
    """The thread's resting run, when every decision it waited for is there."""
    run = Run.objects.filter(thread_id=row.pk, resting=True, status=RunStatus.WAITING).first()
    if run is None or run.approvals.filter(decision=None).exists():
        return None
    return row_of(run)


def row_of(run: Run) -> RunRow:
    """A run as the ledger's statements see it."""
    return RunRow(
        run.pk,
        run.run_id,
        run.thread_id,
        run.status,
        run.first_seq,
        run.resting,
        run.agent_type,
        run.input,
        run.request_id,
        run.trace,
        run.created_at,
    )


class ClaimRun(RunOperation):
    """Take the run that is next in the thread. Result: a `Lease`, or `None` when there is nothing to take."""

    __slots__ = ("worker_id",)

    def __init__(self, user_id: str, thread_id: str, worker_id: str) -> None:
        super().__init__(user_id, thread_id)
        self.worker_id = worker_id

    def apply(self, transaction: Transaction) -> Lease | None:
        row = transaction.rows.get(self.key)
        if row is None:
            return None
        run = next_queued(row) if row.active_run_id is None else _rested(row)
        return None if run is None else claim(transaction, row, run, self.worker_id)


class FinishRun(RunOperation):
    """End a leased run, and take the next one of the thread for the same worker.

    Result: the next run's `Lease`, or `None`.

    Raises (from `apply`): LeaseLostError, when the run is somebody else's by now; nothing was written.
    """

    __slots__ = ("closers", "incident", "lease", "result", "take_next", "terminal")

    def __init__(
        self,
        lease: Lease,
        closers: Sequence[Event],
        terminal: Event,
        *,
        result: str = "",
        incident: str = "",
        take_next: bool,
    ) -> None:
        super().__init__(lease.user_id, lease.thread_id, patient=True, size=len(result) + 1024)
        self.lease, self.closers, self.terminal = lease, closers, terminal
        self.result, self.incident, self.take_next = result, incident, take_next

    def apply(self, transaction: Transaction) -> Lease | None:
        row = transaction.thread(self.key)
        if row.fence != self.lease.fence or row.active_run_id != self.lease.run_id:
            raise LeaseLostError()
        end(
            transaction,
            row,
            self.lease.run_pk,
            self.lease.run_id,
            self.closers,
            self.terminal,
            result=self.result,
            incident=self.incident,
        )
        following = next_queued(row)
        if following is not None and self.take_next:
            return claim(transaction, row, following, self.lease.worker_id)
        if following is not None:  # this process takes nothing new: for another one
            get_executor().enqueue(Run.objects.select_related("thread").get(pk=following.pk), again=True)
        return None


class RequestApproval(RunOperation):
    """Record an approval with its event; the run waits."""

    __slots__ = ("data", "lease", "seconds")

    def __init__(self, lease: Lease, data: dict[str, Any], seconds: float) -> None:
        super().__init__(lease.user_id, lease.thread_id)
        self.lease, self.data, self.seconds = lease, data, seconds

    @property
    def chain(self) -> Hashable:
        """The run: see `Append.chain`."""
        return (*self.key, self.lease.run_id)

    def apply(self, transaction: Transaction) -> None:
        row = transaction.thread(self.key)
        if row.fence != self.lease.fence or row.active_run_id != self.lease.run_id:
            raise LeaseLostError()
        expires = transaction.now + timedelta(seconds=self.seconds)
        arguments = events.encode(self.data["arguments"])
        text = events.encode({**self.data, "expires_at": events.timestamp(expires)})
        events.check_size(text, self.lease.thread_id, self.lease.run_id)
        Approval.objects.create(
            user_id=self.lease.user_id,
            approval_id=self.data["approval_id"],
            run_id=self.lease.run_pk,
            tool_call_id=self.data["tool_call_id"],
            tool_name=self.data["tool_name"][:255],
            arguments=arguments,
            arguments_digest=digest(self.data["tool_name"], arguments),
            message=self.data["message"],
            created_at=transaction.now,
            expires_at=expires,
        )
        Run.objects.filter(pk=self.lease.run_pk).update(status=RunStatus.WAITING)
        transaction.append(row, self.lease.run_id, "approval_requested", text)


class RestRun(RunOperation):
    """The run waits for its decisions in the database; nobody holds it. Result: whether it can go on at once."""

    __slots__ = ("lease", "memory")

    def __init__(self, lease: Lease, memory: bytes) -> None:
        super().__init__(lease.user_id, lease.thread_id, patient=True, size=len(memory) + 512)
        self.lease, self.memory = lease, memory

    def apply(self, transaction: Transaction) -> bool:
        row = transaction.thread(self.key)
        if row.fence != self.lease.fence or row.active_run_id != self.lease.run_id:
            raise LeaseLostError()
        row.fence += 1
        row.dirty = True
        remember(transaction, row, rest_key(self.lease.run_id), self.memory)
        Run.objects.filter(pk=self.lease.run_pk).update(
            resting=True, status=RunStatus.WAITING, lease_until=None, worker_id=""
        )
        return not Approval.objects.filter(run_id=self.lease.run_pk, decision=None).exists()


def rest_key(run_id: str) -> str:
    """Where a resting run's memory is kept."""
    return f"rest:{run_id}"


def remember(transaction: Transaction, row: ThreadRow, key: str, data: bytes) -> None:
    """Keep bytes for the thread."""
    Memory.objects.update_or_create(thread_id=row.pk, key=key, defaults={"data": data, "updated_at": transaction.now})


class Remember(RunOperation):
    """Keep bytes for the thread, as long as the lease holds."""

    __slots__ = ("data", "lease", "name")

    def __init__(self, lease: Lease, name: str, data: bytes) -> None:
        super().__init__(lease.user_id, lease.thread_id, size=len(data) + 512)
        self.lease, self.name, self.data = lease, name, data

    def apply(self, transaction: Transaction) -> None:
        row = transaction.thread(self.key)
        if row.fence != self.lease.fence or row.active_run_id != self.lease.run_id:
            raise LeaseLostError()
        remember(transaction, row, self.name, self.data)

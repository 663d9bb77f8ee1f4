"""The steps that all operations of the ledger share.

Each step changes a run's state together with the event that reports it, in one transaction of the journal. The
operations are in `starts`, `leases`, `approvals` and `endings`. Every operation first locks the run's thread, so two of
them never change the same run at once. They raise before they write.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, TypeVar

import msgspec

from netra.agents.follow_up import announcer
from netra.agents.follow_up.signals import approval_resolved, run_started
from netra.agents.ledger import statements as ledger_sql
from netra.agents.ledger.statements import RunRow
from netra.agents.models import Approval, Decision, Run, RunStatus
from netra.agents.usage import used
from websocket_core.database.stored_text import exact, fitting
from websocket_core.errors import NotFound
from websocket_core.ids import NAME_LENGTH, USER_LENGTH
from websocket_core.journal import Operation, ThreadRow, Transaction, size_of
from websocket_core.wire import encoding
from websocket_core.wire.vocabulary import STATUS_AFTER

Result = TypeVar("Result", covariant=True)

REASON_LENGTH = 1024  # characters of the reason for a stop

TERMINAL_STATUS = {event_type: RunStatus(status) for event_type, status in STATUS_AFTER.items()}


class Event(NamedTuple):
    """An event to append.

    Attributes:
        text: the encoded data, if it is already encoded.
        actor_id: the person who caused it, if there is one.
    """

    event_type: str
    data: dict[str, Any]
    text: str = ""
    actor_id: str = ""

    def encoded(self) -> Event:
        """The same event with its encoded text.

        Raises:
            UnserialisableError: the data has no JSON form.
        """
        return self._replace(text=encoding.encode(self.data))


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to execute a run, until another process has a larger fencing token."""

    run_pk: int
    owner_id: str
    thread_id: str
    run_id: str
    agent_type: str
    input: Any
    fence: int
    worker_id: str
    request_id: str | None = None
    resting: bool = False  # the run continues after resting instead of starting
    alone: bool = False  # the thread has no earlier events, so there is no history to load
    trace: str = ""  # see `Run.trace`
    created_at: datetime | None = None  # when the run was recorded, if it has waited
    usage: str = ""  # see `Run.usage`; for a run that continues


class RunOperation(Operation[Result]):
    """An operation on one thread's runs."""

    __slots__ = ("key",)

    def __init__(
        self, owner_id: str, thread_id: str, *, creates: bool = False, patient: bool = False, size: int = 1024
    ) -> None:
        self.key = (exact(owner_id, "owner_id", USER_LENGTH), exact(thread_id, "thread_id", NAME_LENGTH))
        super().__init__((self.key,), creates=creates, patient=patient, size=size)

    @property
    def settles(self) -> bool:
        """Always true: operations on runs are rare compared to events."""
        return True


def append(transaction: Transaction, row: ThreadRow, run_id: str, event: Event) -> int:
    """Append one event of a run. Returns its seq."""
    row.dirty = True
    seq = transaction.append(row, run_id, event.event_type, event.text or encoding.encode(event.data))
    if event.actor_id:
        transaction.name_actor(event.actor_id)
    return seq


def claim(transaction: Transaction, row: ThreadRow, run: RunRow, worker_id: str) -> Lease:
    """Give the run to a worker: a new fencing token, the thread's only active place, and `agent_started`.

    A resting run continues instead, without a second `agent_started`.
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
        seq = append(transaction, row, run.run_id, Event("agent_started", data, actor_id=run.actor_id))
        if run_started.has_listeners():
            transaction.after_commit.append(partial(announcer.tell, run_started, run.pk))
    ledger_sql.mark_running(
        run.pk,
        worker_id=worker_id,
        started_at=None if run.resting else transaction.now,
        seq=seq,
    )
    return Lease(
        run.pk,
        row.owner_id,
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
        usage=run.usage,
    )


def with_usage(data: dict[str, Any], usage: str) -> dict[str, Any]:
    """A terminal event's data with the usage that the run has reported, if any."""
    return {**data, "usage": msgspec.json.decode(usage)} if usage else data


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
    """Close what is open, append the terminal event, and free the thread. The caller has checked the lease."""
    for event in closers:
        # The approval may have been decided while the run was ending. That decision already has its event.
        if event.event_type != "approval_resolved" or decide_row(transaction, row.owner_id, event.data):
            append(transaction, row, run_id, event)
    if terminal.event_type == "agent_cancelled" and not terminal.actor_id:
        terminal = terminal._replace(actor_id=ledger_sql.stopped_by(run_pk))
    seq = append(transaction, row, run_id, terminal)  # always allowed, even beyond the quota
    transaction.count(row, size_of(result))
    reason = terminal.data.get("reason")
    reported = used(terminal.data.get("usage"))
    follow_up_at, signal_due = announcer.mark_of_end(transaction.now, reported)
    if follow_up_at is not None:
        transaction.after_commit.append(partial(announcer.settle, run_pk, follow_up_at))
    ledger_sql.mark_ended(
        run_pk,
        status=TERMINAL_STATUS[terminal.event_type],
        seq=seq,
        result=result,
        code=terminal.data.get("code", ""),
        incident=incident,
        stop_reason=None if reason is None else fitting(reason, "reason", REASON_LENGTH),
        retried_as=terminal.data.get("retried_as", ""),
        now=transaction.now,
        used=reported,
        follow_up_at=follow_up_at,
        signal_due=signal_due,
    )
    if row.active_run_id == run_id:
        row.active_run_id = None  # so the holder of the old lease can write nothing more
        row.dirty = True


def decide_row(transaction: Transaction, owner_id: str, data: dict[str, Any], actor_id: str = "") -> bool:
    """Record the decision of an approval. Its primary key refuses a second one. Returns whether it was recorded."""
    approval = Approval.objects.filter(owner_id=owner_id, approval_id=data["approval_id"]).first()
    if approval is None:
        return True
    _, made = Decision.objects.get_or_create(
        approval=approval,
        defaults={
            "approved": data["approved"],
            "value": encoding.encode(data["value"]),
            "arguments": encoding.encode(data["arguments"]) if "arguments" in data else "",
            "by": data["by"],
            "actor_id": actor_id,
            "decided_at": transaction.now,
        },
    )
    if made and approval_resolved.has_listeners():
        transaction.after_commit.append(partial(announcer.tell, approval_resolved, approval.run_id, approval.pk))
    return made


def row_of(run: Run) -> RunRow:
    """A run in the form that the ledger's statements use."""
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
        run.actor_id,
        run.usage,
        run.created_at,
    )


def run_of(transaction: Transaction, key: tuple[str, str], run_id: str) -> tuple[ThreadRow, Run]:
    """A thread and its run, of the operation's owner.

    Raises:
        NotFound: the user has no such run in this thread.
    """
    row = transaction.rows.get(key)
    run = Run.objects.filter(owner_id=key[0], run_id=run_id, thread_id=row.pk).first() if row is not None else None
    if row is None or run is None:
        raise NotFound("There is no such run.", run_id=run_id)
    return row, run

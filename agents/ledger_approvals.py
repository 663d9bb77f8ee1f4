"""Approvals: a run asks, somebody decides, once."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec

from agents.ledger import Event, Lease, RunOperation, append, decide_row
from agents.models import Approval, Decision, Run, RunStatus
from websocket_core import events
from websocket_core.errors import (
    AlreadyDecided,
    LeaseLostError,
    NotFound,
)
from websocket_core.journal_transaction import ThreadRow, Transaction


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


def digest(tool_name: str, arguments: str) -> str:
    """What an approval is bound to: the tool and its exact arguments."""
    return hashlib.sha256(f"{tool_name}\0{arguments}".encode()).hexdigest()


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

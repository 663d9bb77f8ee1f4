"""Approvals: a run asks, and a person decides once."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

import msgspec

from netra.agents.follow_up import announcer
from netra.agents.follow_up.signals import approval_requested
from netra.agents.ledger import answers
from netra.agents.ledger.moves import Event, Lease, RunOperation, append, decide_row
from netra.agents.models import Approval, Decision, Run, RunStatus
from websocket_core.database.stored_text import exact, fitting, storable
from websocket_core.errors import (
    AlreadyDecided,
    NotFound,
)
from websocket_core.ids import NAME_LENGTH, USER_LENGTH
from websocket_core.journal import RoomOfRun, ThreadRow, Transaction, size_of
from websocket_core.wire import encoding, events

TOOL_NAME_LENGTH = 255
BY_LENGTH = 16
KIND_LENGTH = 16
DECISIONS_LENGTH = 32
Arguments = dict[str, Any] | list[Any] | None
LONGEST_SECONDS = 100 * 366 * 86400


class RequestApproval(RunOperation[None]):
    """Record an approval with its event. The run waits from then on."""

    __slots__ = ("answer_schema", "arguments", "data", "lease", "lifetime", "room", "text")
    apart = True

    def __init__(
        self,
        lease: Lease,
        data: dict[str, Any],
        seconds: float,
        room: RoomOfRun | None = None,
        answer_schema: dict[str, Any] | None = None,
    ) -> None:
        exact(data["approval_id"], "approval_id", NAME_LENGTH)
        exact(data["tool_call_id"], "tool_call_id", NAME_LENGTH)
        for name in ("tool_name", "message"):
            if not isinstance(data[name], str):
                raise TypeError(f"{name} must be a string, not {type(data[name]).__name__}")
        self.lifetime = _lifetime(seconds)
        self.text, self.arguments = encoding.encode(data), encoding.encode(data["arguments"])
        events.check_size(self._with_expiry(datetime.now(UTC)), lease.thread_id, lease.run_id)
        super().__init__(lease.owner_id, lease.thread_id, size=len(self.text) + len(self.arguments) + 512)
        self.lease, self.data, self.room = lease, data, room or RoomOfRun()
        self.answer_schema = "" if answer_schema is None else storable(encoding.encode(answer_schema))

    def _with_expiry(self, expires: datetime) -> str:
        return f'{self.text[:-1]},"expires_at":"{events.timestamp(expires)}"}}'

    @property
    def chain(self) -> Hashable:
        """The run: see `Append.chain`."""
        return (*self.key, self.lease.run_id)

    def apply(self, transaction: Transaction) -> None:
        row = transaction.thread(self.key)
        row.require(self.lease)
        expires = transaction.now + self.lifetime
        stored = size_of(self.arguments) + size_of(self.data["message"])
        self.room.require(transaction, row, size_of(self.text) + stored)
        transaction.count(row, stored)
        approval = Approval.objects.create(
            owner_id=self.lease.owner_id,
            approval_id=self.data["approval_id"],
            run_id=self.lease.run_pk,
            tool_call_id=self.data["tool_call_id"],
            tool_name=fitting(self.data["tool_name"], "tool_name", TOOL_NAME_LENGTH),
            arguments=self.arguments,
            arguments_digest=digest(self.data["tool_name"], self.arguments),
            message=storable(self.data["message"]),
            kind=fitting(self.data.get("kind", "approval"), "kind", KIND_LENGTH),
            decisions=fitting(" ".join(self.data.get("decisions", ())), "decisions", DECISIONS_LENGTH),
            answer_schema=self.answer_schema,
            created_at=transaction.now,
            expires_at=expires,
        )
        if approval_requested.has_listeners():
            tell = partial(announcer.tell, approval_requested, self.lease.run_pk, approval.pk)
            transaction.after_commit.append(tell)
        Run.objects.filter(pk=self.lease.run_pk).update(status=RunStatus.WAITING)
        transaction.append(row, self.lease.run_id, "approval_requested", self._with_expiry(expires))


class RequestApprovals(RunOperation[None]):
    """Record several approvals of one run with their events, one directly after the other: all or none.

    Args:
        parts: at least one.
    """

    __slots__ = ("parts",)
    apart = True

    def __init__(self, parts: Sequence[RequestApproval]) -> None:
        super().__init__(*parts[0].key, size=sum(part.size for part in parts))
        self.parts = parts

    @property
    def chain(self) -> Hashable:
        """The run: see `Append.chain`."""
        return self.parts[0].chain

    def apply(self, transaction: Transaction) -> None:
        for part in self.parts:
            part.apply(transaction)


def _lifetime(seconds: object) -> timedelta:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= LONGEST_SECONDS:
        raise ValueError(f"an approval must expire in 0 to {LONGEST_SECONDS:,} seconds, not {seconds!r:.40}")
    return timedelta(seconds=seconds)


def digest(tool_name: str, arguments: str) -> str:
    """The digest to which an approval is bound: the tool and its exact arguments."""
    return hashlib.sha256(f"{tool_name}\0{arguments}".encode()).hexdigest()


class Decided(NamedTuple):
    """Result of `DecideApproval`."""

    run_pk: int
    resting: bool  # the run rests and now has every decision: it has to be continued


class DecideApproval(RunOperation[Decided]):
    """Decide an approval, once.

    Args:
        arguments: the edited arguments; `None`: they are as they were.

    Raises (from `apply`): NotFound, AlreadyDecided. InvalidAction: the question does not allow this decision.
    """

    __slots__ = ("actor_id", "approval_id", "approved", "arguments", "by", "run_id", "value")
    apart = True

    def __init__(
        self,
        owner_id: str,
        thread_id: str,
        run_id: str,
        approval_id: str,
        *,
        approved: bool,
        value: Any,
        by: str,
        actor_id: str = "",
        arguments: Arguments = None,
    ) -> None:
        self.actor_id = exact(actor_id, "actor_id", USER_LENGTH)
        self.run_id, self.approval_id = (
            exact(run_id, "run_id", NAME_LENGTH),
            exact(approval_id, "approval_id", NAME_LENGTH),
        )
        if not isinstance(approved, bool):
            raise TypeError(f"approved must be a bool, not {type(approved).__name__}")
        size = len(encoding.encode([value, arguments]))
        super().__init__(owner_id, thread_id, size=2 * size + 512)
        self.approved, self.value, self.by = approved, value, exact(by, "by", BY_LENGTH)
        self.arguments = arguments

    def apply(self, transaction: Transaction) -> Decided | AlreadyDecided:
        missing = NotFound("There is no such approval.", run_id=self.run_id)
        row = transaction.rows.get(self.key)
        approval = (
            Approval.objects.select_related("run")
            .filter(owner_id=self.key[0], approval_id=self.approval_id, run__run_id=self.run_id)
            .first()
        )
        if row is None or approval is None or approval.run.thread_id != row.pk:
            raise missing
        decision = Decision.objects.filter(pk=approval.pk).first()
        if decision is not None:
            made = {"approved": decision.approved, "value": msgspec.json.decode(decision.value)}
            if decision.arguments:
                made["arguments"] = msgspec.json.decode(decision.arguments)
            raise AlreadyDecided(run_id=self.run_id, decision=made)
        if self.by == "user" and approval.expires_at <= transaction.now:
            expired = DecideApproval(*self.key, self.run_id, self.approval_id, approved=False, value=None, by="expired")
            expired.apply(transaction)
            # Returned, not raised: the event stays, and this answer is reported as late like any other.
            return AlreadyDecided(run_id=self.run_id, decision={"approved": False, "value": None})
        if self.by == "user":
            answers.check_decision(approval.decisions, approved=self.approved, edited=self.arguments is not None)
        self._resolve(transaction, row, approval)
        more = approval.run.approvals.filter(decision=None).exists()
        if not more and not approval.run.resting:
            Run.objects.filter(pk=approval.run_id, status=RunStatus.WAITING).update(status=RunStatus.RUNNING)
        return Decided(approval.run_id, approval.run.resting and not more)

    def _resolve(self, transaction: Transaction, row: ThreadRow, approval: Approval) -> None:
        data = {"approval_id": self.approval_id, "approved": self.approved, "value": self.value, "by": self.by}
        if self.arguments is not None:
            data["arguments"] = self.arguments
        decide_row(transaction, self.key[0], data, self.actor_id)
        append(transaction, row, self.run_id, Event("approval_resolved", data, actor_id=self.actor_id))

"""The operations on a run while a process executes it: claim, rest, remember, finish."""

from __future__ import annotations

from collections.abc import Sequence

from netra.agents.executors import Executor, hand_over
from netra.agents.ledger import statements as ledger_sql
from netra.agents.ledger.moves import Event, Lease, RunOperation, claim, end, row_of
from netra.agents.ledger.open_runs import is_open
from netra.agents.ledger.statements import RunRow
from netra.agents.models import Approval, Memory, Run, RunStatus
from websocket_core.database.stored_text import exact
from websocket_core.ids import NAME_LENGTH
from websocket_core.journal import ThreadRow, Transaction

CODE_LENGTH = 32
INCIDENT_LENGTH = 64
KEY_LENGTH = 200


class ClaimRun(RunOperation[Lease | None]):
    """Take the next run of the thread. Result: a `Lease`, or `None` if there is none to take."""

    __slots__ = ("worker_id",)

    def __init__(self, owner_id: str, thread_id: str, worker_id: str) -> None:
        super().__init__(owner_id, thread_id)
        self.worker_id = exact(worker_id, "worker_id", NAME_LENGTH)

    def apply(self, transaction: Transaction) -> Lease | None:
        row = transaction.rows.get(self.key)
        if row is None:
            return None
        run = ledger_sql.next_queued(row.pk) if row.active_run_id is None else _rested(row)
        return None if run is None else claim(transaction, row, run, self.worker_id)


class FinishRun(RunOperation[Lease | None]):
    """End a leased run, and take the next one of the thread for the same worker.

    Args:
        pass_on: executor of the next run, if this process accepts nothing new.

    Result: the next run's `Lease`, or `None`.

    Raises (from `apply`): LeaseLostError if another process has the lease; then nothing was written.
    """

    __slots__ = ("closers", "incident", "lease", "pass_on", "result", "terminal")

    def __init__(
        self,
        lease: Lease,
        closers: Sequence[Event],
        terminal: Event,
        *,
        result: str = "",
        incident: str = "",
        pass_on: Executor | None = None,
    ) -> None:
        self.result, self.incident = exact(result, "result"), exact(incident, "incident", INCIDENT_LENGTH)
        exact(terminal.data.get("code", ""), "code", CODE_LENGTH)
        self.closers, self.terminal = [event.encoded() for event in closers], terminal.encoded()
        super().__init__(lease.owner_id, lease.thread_id, patient=True, size=2 * len(result) + 1024)
        self.lease, self.pass_on = lease, pass_on

    def apply(self, transaction: Transaction) -> Lease | None:
        row = transaction.thread(self.key)
        row.require(self.lease)
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
        following = ledger_sql.next_queued(row.pk)  # the thread is free now
        if following is None:
            return None
        if self.pass_on is None:
            return claim(transaction, row, following, self.lease.worker_id)
        hand_over(self.pass_on, Run.objects.select_related("thread").get(pk=following.pk), again=True)
        return None


class RestRun(RunOperation[bool]):
    """Let the run wait for its decisions in the database, without a process. Result: whether it can continue now."""

    __slots__ = ("lease", "memory", "usage")
    apart = True

    def __init__(self, lease: Lease, memory: bytes, usage: str = "") -> None:
        self.memory, self.usage = _bytes(memory), exact(usage, "usage")
        super().__init__(lease.owner_id, lease.thread_id, patient=True, size=len(memory) + 512)
        self.lease = lease

    def apply(self, transaction: Transaction) -> bool:
        row = transaction.thread(self.key)
        row.require(self.lease)
        row.fence += 1
        row.dirty = True
        remember(transaction, row, rest_key(self.lease.run_id), self.memory)
        Run.objects.filter(pk=self.lease.run_pk).update(
            resting=True, status=RunStatus.WAITING, lease_until=None, worker_id="", usage=self.usage
        )
        return not Approval.objects.filter(run_id=self.lease.run_pk, decision=None).exists()


class Remember(RunOperation[None]):
    """Store bytes for the thread, if the lease is still valid."""

    __slots__ = ("data", "lease", "name")
    apart = True

    def __init__(self, lease: Lease, name: str, data: bytes) -> None:
        self.name, self.data = memory_key(name), _bytes(data)
        super().__init__(lease.owner_id, lease.thread_id, size=len(data) + 512)
        self.lease = lease

    def apply(self, transaction: Transaction) -> None:
        row = transaction.thread(self.key)
        row.require(self.lease)
        remember(transaction, row, self.name, self.data)


def memory_key(key: object) -> str:
    """A key under which something can be remembered.

    Raises:
        TypeError, UnstorableText: the key is invalid.
    """
    return exact(key, "the key of what is remembered", KEY_LENGTH)


def _bytes(data: object) -> bytes:
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(f"remembered data must be bytes, not {type(data).__name__}: encode it")
    return bytes(data)


def rest_key(run_id: str) -> str:
    """The key of a resting run's memory."""
    return f"rest:{run_id}"


def remember(transaction: Transaction, row: ThreadRow, key: str, data: bytes) -> None:
    """Store bytes for the thread."""
    Memory.objects.update_or_create(thread_id=row.pk, key=key, defaults={"data": data, "updated_at": transaction.now})


def _rested(row: ThreadRow) -> RunRow | None:
    """The thread's resting run, if it has every decision that it waited for."""
    run = Run.objects.filter(is_open(RunStatus.WAITING), thread_id=row.pk, resting=True).first()
    if run is None or run.approvals.filter(decision=None).exists():
        return None
    return row_of(run)

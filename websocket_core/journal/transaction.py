"""One transaction of the journal: operations of many runs, applied together.

Everything that must be consistent is written together: the events, the head of their thread and the state of their run.
An operation sees the threads that it named, locked. It raises before it writes, so that a refused operation leaves
nothing behind for the other operations of its batch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Generic, TypeVar

from django.db import IntegrityError

from websocket_core.bell import Written
from websocket_core.database.db import OUTAGE
from websocket_core.database.home import atomic
from websocket_core.errors import NotFound, WebSocketCoreError
from websocket_core.ids import ThreadKey
from websocket_core.journal import quota
from websocket_core.journal.quota import size_of
from websocket_core.journal.reading import has_ended
from websocket_core.journal.statements import EventRow, HeadRow, Position, statements
from websocket_core.journal.thread_row import ThreadRow
from websocket_core.models import Thread
from websocket_core.wire import events

log = logging.getLogger(__name__)

Result = TypeVar("Result", covariant=True)

JOIN_LIMIT = 8 * 1024  # characters up to which consecutive deltas become one event
# During a run, a thread's `updated_at` may lag its last event by this much: writing it changes two indexes.
STAMP_EVERY = timedelta(seconds=1)


class Operation(Generic[Result]):
    """Work for one of the journal's transactions, which it shares with the operations of other users.

    `threads` names the threads that the operation needs, and `creates` says whether missing ones are created. `apply`
    returns the result for the submitter. The constructor refuses texts that no database can store (`stored_text`), so
    that the error reaches the author and no other operation of the batch.
    """

    __slots__ = ("creates", "patient", "size", "threads")
    # Whether the operation is applied in a savepoint of its own, so that a failure in it does not affect the others.
    # This takes two more statements, which is too much for operations that a run has many of.
    apart: ClassVar[bool] = False

    def __init__(
        self, threads: Sequence[ThreadKey] = (), *, creates: bool = False, patient: bool = False, size: int = 256
    ) -> None:
        self.threads = threads
        self.creates = creates
        self.patient = patient  # never given up: waits for the database as long as the process lives
        self.size = size  # approximate number of characters that it holds in memory

    @property
    def settles(self) -> bool:
        """Whether the days of its threads' users must be locked and include every uncounted byte."""
        return False

    @property
    def chain(self) -> Hashable | None:
        """What must have no holes: when an operation is given up, the later operations of its chain fail too."""
        return None

    def apply(self, transaction: Transaction) -> Result | WebSocketCoreError:
        """Apply the operation. It must raise before its first write or not at all.

        Returns:
            The submitter's result. If it is an error, what was written stays, and the error is raised in the submitter.
        """
        raise NotImplementedError


class Transaction:
    """The state of a transaction in progress. Lives in the writer's thread, inside `atomic()`."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)
        self.stamp = events.timestamp(self.now)
        self.rows: dict[ThreadKey, ThreadRow] = {}
        self.written: list[Written] = []  # in order: the events to ring the bell for
        self.after_commit: list[Callable[[], object]] = []  # these neither raise nor wait
        self.at_end: list[Callable[[], None]] = []  # checks that need every operation to be applied first
        self._events: list[EventRow] = []  # each element belongs to the same index of `written`
        self._actors: dict[int, str] = {}  # index in `_events` → actor of the event; most events have none
        self._flushed = 0
        self._over: set[tuple[int, str]] = set()  # (thread, run) that have their terminal event
        self._going: set[tuple[int, str]] = set()  # those known to have had none before this transaction
        self._days: dict[str, int] = {}  # user → bytes of today including uncounted ones, if the day is locked
        self._sql = statements()

    def lock(self, operations: Sequence[Operation[object]]) -> None:
        """Lock every thread that the operations name. Create the missing ones that an operation wants."""
        wanted: dict[ThreadKey, bool] = {}
        sizes: dict[ThreadKey, int] = {}
        settling: set[str] = set()
        for operation in operations:
            for key in operation.threads:
                wanted[key] = wanted.get(key, False) or operation.creates
                sizes[key] = sizes.get(key, 0) + operation.size
                if operation.settles:
                    settling.add(key[0])
        if not wanted:
            return
        self._load(list(wanted))
        # Sorted, so that two processes that create the same threads at the same time do not deadlock.
        if missing := sorted(key for key, creates in wanted.items() if creates and key not in self.rows):
            times = {"created_at": self.now, "updated_at": self.now}
            threads = [Thread(owner_id=owner, thread_id=thread, **times) for owner, thread in missing]
            Thread.objects.bulk_create(threads, ignore_conflicts=True)
            self._load(missing)
        self._lock_days(settling, sizes)

    def _lock_days(self, settling: set[str], sizes: Mapping[ThreadKey, int]) -> None:
        """Lock the days of users that need it: after all threads and in order, so that two writers never deadlock."""
        limit = quota.settle_at()
        users = settling | {key[0] for key, row in self.rows.items() if row.uncounted + sizes.get(key, 0) >= limit}
        if users:
            self._days = dict(self._sql.lock_days(sorted(users), self.now.toordinal()))
            for row in self.rows.values():
                if row.owner_id in self._days:
                    self._days[row.owner_id] += row.uncounted

    def _load(self, keys: Sequence[ThreadKey]) -> None:
        for values in self._sql.lock_threads(keys, self.now - STAMP_EVERY):
            row = ThreadRow(*values)
            self.rows[row.owner_id, row.thread_id] = row

    def apply(self, operation: Operation[Result]) -> Result | Exception:
        """Apply an operation, in a savepoint of its own if it asks for one.

        Returns:
            Its result, or the error that it raised. An error has left nothing behind.

        Raises:
            Exception: whatever it raised, if only the whole transaction can be rolled back.
        """
        try:
            return self._apply_apart(operation) if operation.apart else operation.apply(self)
        except WebSocketCoreError as error:
            return error

    def _apply_apart(self, operation: Operation[Result]) -> Result | Exception:
        before = _Before(self, operation)
        for last in (False, True):
            try:
                with atomic():
                    return operation.apply(self)
            except (*OUTAGE, WebSocketCoreError):
                before.restore()
                raise
            except Exception as error:
                before.restore()
                # Another process wrote the same thing first: a second attempt finds it.
                if last or not isinstance(error, IntegrityError):
                    log.exception("%s failed; it has written nothing", type(operation).__name__)
                    return error
        raise AssertionError  # not reached

    def thread(self, key: ThreadKey) -> ThreadRow:
        """A locked thread.

        Raises:
            NotFound: the user has no such thread.
        """
        try:
            return self.rows[key]
        except KeyError:
            raise NotFound("There is no such thread.") from None

    def require_room(self, row: ThreadRow, size: int) -> None:
        """Check that `size` more bytes do not exceed the limit of the thread or of its user's day.

        Raises:
            QuotaExceeded: they do.
        """
        day = self._days.get(row.owner_id)
        quota.check(self.now, row.stored + size, None if day is None else day + size)

    def count(self, row: ThreadRow, size: int) -> None:
        """Count `size` more bytes for a thread. A negative size counts fewer."""
        row.stored += size
        row.uncounted += size
        row.moved = True
        if row.owner_id in self._days:
            self._days[row.owner_id] += size

    def append(self, row: ThreadRow, run_id: str, event_type: str, data: str) -> int:
        """Give the event its number and its final text. Returns the number.

        The caller also sets `row.dirty` if more than the number has changed or if `updated_at` must be exact.
        """
        row.last_seq = seq = row.last_seq + 1
        row.tail = None
        text = events.frame(event_type, row.thread_id, run_id, seq, self.stamp, data)
        self.count(row, size_of(text))
        self._events.append((row.pk, seq, run_id, event_type, text))
        self.written.append((row.owner_id, row.thread_id, seq, text))
        if event_type in events.TERMINAL:
            self._over.add((row.pk, run_id))
        return seq

    def name_actor(self, actor_id: str) -> None:
        """Set the actor of the event that was appended last."""
        self._actors[len(self._events) - 1] = actor_id

    def append_delta(
        self, row: ThreadRow, run_id: str, event_type: str, stream: str, delta: str, *, last: bool = False
    ) -> int:
        """Append a delta. Join it to the previous event if that is a delta of the same stream in this transaction.

        Args:
            last: nothing may be joined to it, and its event says so.

        Returns:
            The `seq` of the event that has the delta.
        """
        tail = row.tail
        if tail is not None and tail[1] == run_id and tail[2] == stream and len(tail[3]) + len(delta) <= JOIN_LIMIT:
            index, text = tail[0], tail[3] + delta
            pk, seq, _, kind, before = self._events[index]
            if kind == event_type:  # a thought and a message may have the same id
                data = events.delta_data(kind, stream, text, last)
                frame = events.frame(kind, row.thread_id, run_id, seq, self.stamp, data)
                self.count(row, size_of(frame) - size_of(before))
                self._events[index] = (pk, seq, run_id, kind, frame)
                self.written[index] = (row.owner_id, row.thread_id, seq, frame)
                row.tail = None if last else (index, run_id, stream, text)
                return seq
        seq = self.append(row, run_id, event_type, events.delta_data(event_type, stream, delta, last))
        row.tail = None if last else (len(self._events) - 1, run_id, stream, delta)
        return seq

    def is_over(self, row: ThreadRow, run_id: str) -> bool:
        """Whether the run has its terminal event."""
        key = (row.pk, run_id)
        if key not in self._over and key not in self._going:  # the thread is locked, so the answer cannot change
            over = has_ended(row.pk, run_id)
            (self._over if over else self._going).add(key)
        return key in self._over

    def flush(self) -> None:
        """Write events and heads, once, at the end. An operation that reads event rows calls `flush_events` first."""
        self.flush_events()
        heads, positions, days = [], [], {}
        for row in self.rows.values():
            if row.uncounted and row.owner_id in self._days:
                row.uncounted, row.moved = 0, True
                days[row.owner_id] = self._days[row.owner_id]
            if row.dirty:
                heads.append(HeadRow(row.pk, row.last_seq, row.active_run_id, row.fence, row.stored, row.uncounted))
            elif row.moved:
                positions.append(Position(row.pk, row.last_seq, row.stored, row.uncounted))
        if days:
            self._sql.write_days(list(days.items()))
        if heads:
            self._sql.write_heads(heads, self.now)
        if positions:
            self._sql.write_positions(positions)
        for last in self.at_end:
            last()

    def flush_events(self) -> None:
        """Write the events collected so far, so that this transaction can read them."""
        if self._flushed < len(self._events):
            first, self._flushed = self._flushed, len(self._events)
            actors = {place - first: actor_id for place, actor_id in self._actors.items() if place >= first}
            self._sql.insert_events(self._events[first:], self.now, actors)
            for row in self.rows.values():
                row.tail = None  # a delta cannot join an event that is already written


class _Before:
    """The state of a transaction before an operation, so that it can be restored."""

    def __init__(self, transaction: Transaction, operation: Operation[object]) -> None:
        self._transaction = transaction
        rows = [transaction.rows[key] for key in operation.threads if key in transaction.rows]
        self._rows = [(row, [getattr(row, name) for name in ThreadRow.__slots__]) for row in rows]
        lists = (transaction.written, transaction._events, transaction.at_end, transaction.after_commit)
        self._lists = [(found, len(found)) for found in lists]
        self._flushed, self._over, self._going = transaction._flushed, {*transaction._over}, {*transaction._going}
        self._days = dict(transaction._days)

    def restore(self) -> None:
        for row, values in self._rows:
            for name, value in zip(ThreadRow.__slots__, values, strict=True):
                setattr(row, name, value)
        for found, length in self._lists:
            del found[length:]
        transaction = self._transaction
        kept = len(transaction._events)
        transaction._actors = {place: actor for place, actor in transaction._actors.items() if place < kept}
        transaction._flushed, transaction._over, transaction._going = self._flushed, {*self._over}, {*self._going}
        transaction._days = dict(self._days)

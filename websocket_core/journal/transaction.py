"""One transaction of the journal: operations of many runs, applied together.

Everything that must be true together is written together: the events, the head of their thread, and the state of their
run. An operation sees the threads it named, locked; it raises before it writes, so that a refused operation leaves
nothing behind for the others of its batch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Generic, TypeVar

from django.db import IntegrityError
from django.db import transaction as database

from websocket_core.bell import Written
from websocket_core.database.db import OUTAGE
from websocket_core.errors import NotFound, WebSocketCoreError
from websocket_core.ids import ThreadKey
from websocket_core.journal import quota
from websocket_core.journal.quota import size_of
from websocket_core.journal.statements import EventRow, HeadRow, Position, has_ended, statements
from websocket_core.journal.thread_row import ThreadRow
from websocket_core.models import Thread
from websocket_core.wire import encoding, events

log = logging.getLogger(__name__)

Result = TypeVar("Result", covariant=True)

JOIN_LIMIT = 8 * 1024  # characters up to which consecutive deltas become one event
# A thread's `updated_at` may be this much behind its last event while a run goes on: writing it means two indexes.
STAMP_EVERY = timedelta(seconds=1)


class Operation(Generic[Result]):
    """Something to do in one of the journal's transactions, in which other people's operations are, too.

    `threads` names the threads it needs, `creates` whether missing ones are made. `apply` returns the result that the
    submitter gets. What no database can keep is refused by the constructor (`stored_text`), so that it is its author's
    error and nobody else's.
    """

    __slots__ = ("creates", "patient", "size", "threads")
    # Applied in a savepoint of its own: whatever breaks in it then costs the others nothing. Two statements more, so
    # not for what every run has many of.
    apart: ClassVar[bool] = False

    def __init__(
        self, threads: Sequence[ThreadKey] = (), *, creates: bool = False, patient: bool = False, size: int = 256
    ) -> None:
        self.threads = threads
        self.creates = creates
        self.patient = patient  # waits for the database as long as the process lives
        self.size = size  # characters it holds in memory, about

    @property
    def settles(self) -> bool:
        """Whether it needs the days of its threads' users, locked and with every byte in them."""
        return False

    @property
    def chain(self) -> Hashable | None:
        """What must have no holes: when an operation is given up, the later ones of its chain are, too."""
        return None

    def apply(self, transaction: Transaction) -> Result | WebSocketCoreError:
        """Do it. Raise before the first write, or not at all.

        Returns:
            the submitter's result; an error, where what was written stands and the submitter gets that error.
        """
        raise NotImplementedError


class Transaction:
    """The state of a transaction under way. Lives in the writer's thread, inside `atomic()`."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)
        self.stamp = events.timestamp(self.now)
        self.rows: dict[ThreadKey, ThreadRow] = {}
        self.written: list[Written] = []  # in order: what the bell rings with
        self.at_end: list[Callable[[], None]] = []  # what can only be judged when every operation was applied
        self._events: list[EventRow] = []  # one for one with `written`
        self._actors: dict[int, str] = {}  # place in `_events` → who caused it; people cause few of them
        self._flushed = 0
        self._over: set[tuple[int, str]] = set()  # (thread, run) that had their terminal event
        self._going: set[tuple[int, str]] = set()  # those known to have had none before this transaction
        self._days: dict[str, int] = {}  # user → bytes of today, where that is locked; with all that is uncounted here
        self._sql = statements()

    def lock(self, operations: Sequence[Operation[object]]) -> None:
        """Lock every thread the operations name; make those that are missing and wanted."""
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
        # Sorted: two processes that make the same threads in the same moment wait for each other's rows, too.
        if missing := sorted(key for key, creates in wanted.items() if creates and key not in self.rows):
            Thread.objects.bulk_create(
                [
                    Thread(owner_id=user, thread_id=thread, created_at=self.now, updated_at=self.now)
                    for user, thread in missing
                ],
                ignore_conflicts=True,
            )
            self._load(missing)
        self._lock_days(settling, sizes)

    def _lock_days(self, settling: set[str], sizes: Mapping[ThreadKey, int]) -> None:
        """Lock the days of users who need it: after all threads, in order, so that two writers never wait for each
        other.
        """
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
        """Apply an operation, in a savepoint of its own if it wants that.

        Returns:
            its result, or the error that it raised and that has left nothing behind.

        Raises:
            Exception: what it raised, where only the whole transaction can be undone.
        """
        try:
            return self._apply_apart(operation) if operation.apart else operation.apply(self)
        except WebSocketCoreError as error:
            return error

    def _apply_apart(self, operation: Operation[Result]) -> Result | Exception:
        before = _Before(self, operation)
        for last in (False, True):
            try:
                with database.atomic():
                    return operation.apply(self)
            except (*OUTAGE, WebSocketCoreError):
                before.restore()
                raise
            except Exception as error:
                before.restore()
                # Another process made the same thing first: a second look finds it.
                if last or not isinstance(error, IntegrityError):
                    log.exception("%s failed; it has written nothing", type(operation).__name__)
                    return error
        raise AssertionError  # not reached

    def thread(self, key: ThreadKey) -> ThreadRow:
        """A locked thread.

        Raises:
            NotFound: there is no such thread of this user.
        """
        try:
            return self.rows[key]
        except KeyError:
            raise NotFound("There is no such thread.") from None

    def require_room(self, row: ThreadRow, size: int) -> None:
        """Raise, if so many bytes more are too many for the thread or its user's day.

        Raises:
            QuotaExceeded: they are.
        """
        day = self._days.get(row.owner_id)
        quota.check(self.now, row.stored + size, None if day is None else day + size)

    def count(self, row: ThreadRow, size: int) -> None:
        """So many bytes more are stored for a thread (or fewer, when it is negative)."""
        row.stored += size
        row.uncounted += size
        row.moved = True
        if row.owner_id in self._days:
            self._days[row.owner_id] += size

    def append(self, row: ThreadRow, run_id: str, event_type: str, data: str) -> int:
        """Give the event its number and its final text.

        Who appends says `row.dirty`, too, if more than the number has changed, or the time has to be right.
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
        """Say who caused the event that was appended last."""
        self._actors[len(self._events) - 1] = actor_id

    def append_delta(self, row: ThreadRow, run_id: str, event_type: str, stream: str, delta: str) -> int:
        """Append to the event before it, when that is a delta of the same stream in this transaction, else as an
        event of its own.
        """
        tail = row.tail
        if tail is not None and tail[1] == run_id and tail[2] == stream and len(tail[3]) + len(delta) <= JOIN_LIMIT:
            index, text = tail[0], tail[3] + delta
            pk, seq, _, kind, before = self._events[index]
            if kind == event_type:  # a thought and a message may bear the same id
                frame = events.frame(kind, row.thread_id, run_id, seq, self.stamp, _delta_data(kind, stream, text))
                self.count(row, size_of(frame) - size_of(before))
                self._events[index] = (pk, seq, run_id, kind, frame)
                self.written[index] = (row.owner_id, row.thread_id, seq, frame)
                row.tail = (index, run_id, stream, text)
                return seq
        seq = self.append(row, run_id, event_type, _delta_data(event_type, stream, delta))
        row.tail = (len(self._events) - 1, run_id, stream, delta)
        return seq

    def is_over(self, row: ThreadRow, run_id: str) -> bool:
        """Whether the run has its terminal event."""
        key = (row.pk, run_id)
        if key not in self._over and key not in self._going:  # the thread is locked: one question is enough
            over = has_ended(row.pk, run_id)
            (self._over if over else self._going).add(key)
        return key in self._over

    def flush(self) -> None:
        """Write events and heads.

        Called once at the end; operations that read event rows call `flush_events` before.
        """
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
        """Write the events gathered so far, so that they can be read in this transaction."""
        if self._flushed < len(self._events):
            first, self._flushed = self._flushed, len(self._events)
            actors = {place - first: actor_id for place, actor_id in self._actors.items() if place >= first}
            self._sql.insert_events(self._events[first:], self.now, actors)
            for row in self.rows.values():
                row.tail = None  # what is written cannot be joined to any more


class _Before:
    """What a transaction knew before an operation, to go back to it."""

    def __init__(self, transaction: Transaction, operation: Operation[object]) -> None:
        self._transaction = transaction
        rows = [transaction.rows[key] for key in operation.threads if key in transaction.rows]
        self._rows = [(row, [getattr(row, name) for name in ThreadRow.__slots__]) for row in rows]
        self._lists = [(found, len(found)) for found in (transaction.written, transaction._events, transaction.at_end)]
        self._flushed, self._over, self._going = transaction._flushed, {*transaction._over}, {*transaction._going}
        self._days = dict(transaction._days)

    def restore(self) -> None:
        for row, values in self._rows:
            for name, value in zip(ThreadRow.__slots__, values, strict=True):
                setattr(row, name, value)
        for found, length in self._lists:
            del found[length:]
        transaction = self._transaction
        transaction._actors = {
            place: actor for place, actor in transaction._actors.items() if place < len(transaction._events)
        }
        transaction._flushed, transaction._over, transaction._going = self._flushed, {*self._over}, {*self._going}
        transaction._days = dict(self._days)


def _delta_data(event_type: str, stream: str, delta: str) -> str:
    return f'{{"delta":{encoding.encode(delta)},"{events.STREAM_FIELD[event_type]}":{encoding.encode(stream)}}}'

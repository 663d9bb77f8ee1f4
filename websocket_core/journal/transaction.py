"""One transaction of the journal: operations of many runs, applied together.

Everything that must be true together is written together: the events, the head of their thread, and the state of their
run. An operation sees the threads it named, locked; it raises before it writes, so that a refused operation leaves
nothing behind for the others of its batch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from django.db import IntegrityError
from django.db import transaction as database

from websocket_core.bell import Written
from websocket_core.database.db import OUTAGE
from websocket_core.database.stored_text import encodable, exact
from websocket_core.errors import LeaseLostError, NotFound, RunOverError, WebSocketCoreError
from websocket_core.ids import NAME_LENGTH, USER_LENGTH, OwnerID, RunID, ThreadID, ThreadKey
from websocket_core.journal import quota
from websocket_core.journal.quota import RoomOfRun, size_of
from websocket_core.journal.statements import EventRow, HeadRow, Position, has_ended, statements
from websocket_core.models import Thread
from websocket_core.wire import encoding, events

log = logging.getLogger(__name__)

JOIN_LIMIT = 8 * 1024  # characters up to which consecutive deltas become one event
# A thread's `updated_at` may be this much behind its last event while a run goes on: writing it means two indexes.
STAMP_EVERY = timedelta(seconds=1)

FRAME_BYTES = 200  # of an event's frame beside its data, about


class ThreadRow:
    """A locked thread inside a transaction."""

    __slots__ = (
        "active_run_id",
        "deleted",
        "dirty",
        "fence",
        "fresh",
        "last_seq",
        "moved",
        "owner_id",
        "pk",
        "stored",
        "tail",
        "thread_id",
        "title",
        "uncounted",
    )

    def __init__(
        self,
        pk: int,
        owner_id: str,
        thread_id: str,
        title: str,
        last_seq: int,
        active_run_id: str | None,
        fence: int,
        deleted: bool,
        stored: int = 0,
        uncounted: int = 0,
        fresh: bool = False,
    ) -> None:
        self.pk, self.owner_id, self.thread_id, self.title = pk, owner_id, thread_id, title
        self.last_seq, self.active_run_id, self.fence, self.deleted = last_seq, active_run_id, fence, deleted
        self.stored, self.uncounted = stored, uncounted  # see `models.Thread`
        self.fresh = fresh  # its `updated_at` is no older than `STAMP_EVERY`
        self.moved = False  # its `last_seq` and bytes have to be written
        self.dirty = False  # all of its head has to be written, with the time
        # (index of the last event, run, stream, its text) when that was a delta
        self.tail: tuple[int, str, str, str] | None = None


class Operation:
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

    def apply(self, transaction: Transaction) -> Any:
        """Do it. Raise before the first write, or not at all."""
        raise NotImplementedError


class Append(Operation):
    """Append one event of a run.

    Args:
        data: the event's encoded `data`; for a delta everything is in `stream` and `delta` instead.
        fence: the lease's token, or `None` outside a leased run.
        room: of the run; without one each event is judged alone.
    """

    __slots__ = ("data", "delta", "event_type", "fence", "room", "run_id", "stream")

    def __init__(
        self,
        owner_id: str,
        thread_id: str,
        run_id: str,
        fence: int | None,
        event_type: str,
        data: str,
        stream: str | None = None,
        delta: str = "",
        room: RoomOfRun | None = None,
    ) -> None:
        # All of it here, without the base's own: there is one of these for every event.
        if type(owner_id) is not OwnerID or type(thread_id) is not ThreadID or type(run_id) is not RunID:
            exact(owner_id, "owner_id", USER_LENGTH)
            exact(thread_id, "thread_id", NAME_LENGTH)
            exact(run_id, "run_id", NAME_LENGTH)
        if event_type not in events.TYPES:
            raise ValueError(f"there is no event type {event_type!r:.40}")
        if stream is not None:
            encodable(stream, "the name of the stream")
            encodable(delta, "the text of the event")
        elif "\0" in data or not data.isascii():
            exact(data, "the data of the event")
        self.threads = ((owner_id, thread_id),)
        self.creates, self.patient = fence is None, False
        self.size = len(data) + len(delta) + 256
        self.run_id, self.fence, self.event_type, self.data = run_id, fence, event_type, data
        self.stream, self.delta, self.room = stream, delta, room

    @property
    def settles(self) -> bool:
        """At the end of a run that no ledger ends."""
        return self.fence is None and self.event_type in events.TERMINAL

    @property
    def chain(self) -> Hashable:
        """The run: a tool's end must not be in the journal without its beginning."""
        return (*self.threads[0], self.run_id)

    def apply(self, transaction: Transaction) -> int:
        """Returns the event's `seq`.

        Raises:
            LeaseLostError: the lease is not the thread's any more.
            RunOverError: the run has its terminal event.
            QuotaExceeded: there is no room for it; a terminal event always has room.
        """
        row = transaction.rows.get(self.threads[0])
        if row is None:
            raise LeaseLostError("The thread is gone.")
        if self.fence is None:
            if row.active_run_id != self.run_id and transaction.is_over(row, self.run_id):
                raise RunOverError()
        elif row.fence != self.fence or row.active_run_id != self.run_id:
            raise LeaseLostError()
        if self.event_type not in events.TERMINAL:
            size = size_of(self.data if self.stream is None else self.delta) + FRAME_BYTES
            if self.room is None:
                transaction.require_room(row, size)
            else:
                self.room.require(transaction, row, size)
        if self.fence is None or not row.fresh:
            row.dirty = True
        if self.stream is not None:
            return transaction.append_delta(row, self.run_id, self.event_type, self.stream, self.delta)
        return transaction.append(row, self.run_id, self.event_type, self.data)


class Transaction:
    """The state of a transaction under way. Lives in the writer's thread, inside `atomic()`."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)
        self.stamp = events.timestamp(self.now)
        self.rows: dict[ThreadKey, ThreadRow] = {}
        self.written: list[Written] = []  # in order: what the bell rings with
        self.at_end: list[Callable[[], None]] = []  # what can only be judged when every operation was applied
        self._events: list[EventRow] = []  # one for one with `written`
        self._flushed = 0
        self._over: set[tuple[int, str]] = set()  # (thread, run) that had their terminal event
        self._going: set[tuple[int, str]] = set()  # those known to have had none before this transaction
        self._days: dict[str, int] = {}  # user → bytes of today, where that is locked; with all that is uncounted here
        self._sql = statements()

    def lock(self, operations: Sequence[Operation]) -> None:
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

    def apply(self, operation: Operation) -> Any:
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

    def _apply_apart(self, operation: Operation) -> Any:
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
            self._sql.insert_events(self._events[self._flushed :], self.now)
            self._flushed = len(self._events)
            for row in self.rows.values():
                row.tail = None  # what is written cannot be joined to any more


class _Before:
    """What a transaction knew before an operation, to go back to it."""

    def __init__(self, transaction: Transaction, operation: Operation) -> None:
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
        transaction._flushed, transaction._over, transaction._going = self._flushed, {*self._over}, {*self._going}
        transaction._days = dict(self._days)


def _delta_data(event_type: str, stream: str, delta: str) -> str:
    return f'{{"delta":{encoding.encode(delta)},"{events.STREAM_FIELD[event_type]}":{encoding.encode(stream)}}}'

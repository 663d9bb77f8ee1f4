"""One transaction of the journal: operations of many runs, applied together.

Everything that must be true together is written together: the events, the head of their thread, and the state of
their run. An operation sees the
threads it named, locked; it raises before it writes, so that a refused operation leaves nothing behind for the others
of its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from websocket_core import events
from websocket_core.errors import LeaseLostError, NotFound, RunOverError
from websocket_core.journal_sql import EventRow, HeadRow, has_ended, statements
from websocket_core.models import Thread

JOIN_LIMIT = 8 * 1024  # characters up to which consecutive deltas become one event
# A thread's `updated_at` may be this much behind its last event while a run goes on: writing it means two indexes.
STAMP_EVERY = timedelta(seconds=1)

ThreadKey = tuple[str, str]  # (user_id, thread_id)


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
        "pk",
        "tail",
        "thread_id",
        "title",
        "user_id",
    )

    def __init__(
        self,
        pk: int,
        user_id: str,
        thread_id: str,
        title: str,
        last_seq: int,
        active_run_id: str | None,
        fence: int,
        deleted: bool,
        fresh: bool = False,
    ) -> None:
        self.pk, self.user_id, self.thread_id, self.title = pk, user_id, thread_id, title
        self.last_seq, self.active_run_id, self.fence, self.deleted = last_seq, active_run_id, fence, deleted
        self.fresh = fresh  # its `updated_at` is no older than `STAMP_EVERY`
        self.moved = False  # its `last_seq` has to be written
        self.dirty = False  # all of its head has to be written, with the time
        # (index of the last event, run, stream, its text) when that was a delta
        self.tail: tuple[int, str, str, str] | None = None


class Operation:
    """Something to do in one of the journal's transactions.

    `threads` names the threads it needs, `creates` whether missing ones are made. `apply` returns the result that the
    submitter gets.
    """

    __slots__ = ("creates", "patient", "size", "threads")

    def __init__(
        self, threads: Sequence[ThreadKey] = (), *, creates: bool = False, patient: bool = False, size: int = 256
    ) -> None:
        self.threads = threads
        self.creates = creates
        self.patient = patient  # waits for the database as long as the process lives
        self.size = size  # characters it holds in memory, about

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
    """

    __slots__ = ("data", "delta", "event_type", "fence", "run_id", "stream")

    def __init__(
        self,
        user_id: str,
        thread_id: str,
        run_id: str,
        fence: int | None,
        event_type: str,
        data: str,
        stream: str | None = None,
        delta: str = "",
    ) -> None:
        # All of it here, without the base's own: there is one of these for every event.
        self.threads = ((user_id, thread_id),)
        self.creates, self.patient = fence is None, False
        self.size = len(data) + len(delta) + 256
        self.run_id, self.fence, self.event_type, self.data = run_id, fence, event_type, data
        self.stream, self.delta = stream, delta

    @property
    def chain(self) -> Hashable:
        """The run: a tool's end must not be in the journal without its beginning."""
        return (*self.threads[0], self.run_id)

    def apply(self, transaction: Transaction) -> int:
        """Returns the event's `seq`.

        Raises:
            LeaseLostError: the lease is not the thread's any more.
            RunOverError: the run has its terminal event.
        """
        row = transaction.rows.get(self.threads[0])
        if row is None:
            raise LeaseLostError("The thread is gone.")
        if self.fence is None:
            if row.active_run_id != self.run_id and transaction.is_over(row, self.run_id):
                raise RunOverError()
        elif row.fence != self.fence or row.active_run_id != self.run_id:
            raise LeaseLostError()
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
        self.written: list[tuple[ThreadRow, int, str]] = []  # (thread, seq, frame) in order: what the doorbell tells
        self.after_commit: list[Any] = []  # callables for the event loop, once it is true
        self.at_end: list[Callable[[], None]] = []  # what can only be judged when every operation was applied
        self._events: list[EventRow] = []  # one for one with `written`
        self._flushed = 0
        self._over: set[tuple[int, str]] = set()  # (thread, run) that had their terminal event
        self._going: set[tuple[int, str]] = set()  # those known to have had none before this transaction
        self._sql = statements()

    def lock(self, operations: Sequence[Operation]) -> None:
        """Lock every thread the operations name; make those that are missing and wanted."""
        wanted: dict[ThreadKey, bool] = {}
        for operation in operations:
            for key in operation.threads:
                wanted[key] = wanted.get(key, False) or operation.creates
        if not wanted:
            return
        self._load(list(wanted))
        if missing := [key for key, creates in wanted.items() if creates and key not in self.rows]:
            Thread.objects.bulk_create(
                [
                    Thread(user_id=user, thread_id=thread, created_at=self.now, updated_at=self.now)
                    for user, thread in missing
                ],
                ignore_conflicts=True,
            )
            self._load(missing)

    def _load(self, keys: Sequence[ThreadKey]) -> None:
        for values in self._sql.lock_threads(keys, self.now - STAMP_EVERY):
            row = ThreadRow(*values)
            self.rows[row.user_id, row.thread_id] = row

    def thread(self, key: ThreadKey) -> ThreadRow:
        """A locked thread.

        Raises:
            NotFound: there is no such thread of this user.
        """
        try:
            return self.rows[key]
        except KeyError:
            raise NotFound("There is no such thread.") from None

    def append(self, row: ThreadRow, run_id: str, event_type: str, data: str) -> int:
        """Give the event its number and its final text.

        Who appends says `row.dirty`, too, if more than the number has changed, or the time has to be right.
        """
        row.last_seq = seq = row.last_seq + 1
        row.moved = True
        row.tail = None
        text = events.frame(event_type, row.thread_id, run_id, seq, self.stamp, data)
        self._events.append((row.pk, seq, run_id, event_type, text))
        self.written.append((row, seq, text))
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
            pk, seq, _, kind, _ = self._events[index]
            if kind == event_type:  # a thought and a message may bear the same id
                frame = events.frame(kind, row.thread_id, run_id, seq, self.stamp, _delta_data(kind, stream, text))
                self._events[index] = (pk, seq, run_id, kind, frame)
                self.written[index] = (row, seq, frame)
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
        heads, positions = [], []
        for row in self.rows.values():
            if row.dirty:
                heads.append(HeadRow(row.pk, row.last_seq, row.active_run_id, row.fence))
            elif row.moved:
                positions.append((row.pk, row.last_seq))
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


def _delta_data(event_type: str, stream: str, delta: str) -> str:
    return f'{{"delta":{events.encode(delta)},"{events.STREAM_FIELD[event_type]}":{events.encode(stream)}}}'

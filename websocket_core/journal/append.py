"""`Append`, the most common operation: one event of a run."""

from __future__ import annotations

from collections.abc import Hashable

from websocket_core.database.stored_text import encodable, exact
from websocket_core.errors import LeaseLostError, RunOverError
from websocket_core.ids import NAME_LENGTH, USER_LENGTH, OwnerID, RunID, ThreadID
from websocket_core.journal.quota import RoomOfRun, size_of
from websocket_core.journal.transaction import Operation, Transaction
from websocket_core.wire.events import TERMINAL, TYPES

FRAME_BYTES = 200  # approximate size of an event's frame without its data


class Append(Operation[int]):
    """Append one event of a run.

    Args:
        data: the event's `data`, encoded as JSON. Deltas leave it empty and use `stream` and `delta`.
        last: the delta is the last one of its message.
        fence: the fencing token of the run's lease, or `None` outside a leased run.
        room: the quota of the run. Without it, the quota is checked for each event separately.

    Raises:
        ValueError: the event type is unknown, or the database cannot store one of the texts.
    """

    __slots__ = ("data", "delta", "event_type", "fence", "last", "room", "run_id", "stream")

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
        last: bool = False,
    ) -> None:
        # Does not call the base class's `__init__`: an `Append` is created for every event.
        if type(owner_id) is not OwnerID or type(thread_id) is not ThreadID or type(run_id) is not RunID:
            exact(owner_id, "owner_id", USER_LENGTH)
            exact(thread_id, "thread_id", NAME_LENGTH)
            exact(run_id, "run_id", NAME_LENGTH)
        if event_type not in TYPES:
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
        self.stream, self.delta, self.room, self.last = stream, delta, room, last

    @property
    def settles(self) -> bool:
        """True for the terminal event of a run without a lease: no ledger counts its bytes."""
        return self.fence is None and self.event_type in TERMINAL

    @property
    def chain(self) -> Hashable:
        """The run. If one event is given up, the later ones fail too: a tool must not end without having begun."""
        return (*self.threads[0], self.run_id)

    def apply(self, transaction: Transaction) -> int:
        """Append the event and return its `seq`.

        Raises:
            LeaseLostError: the lease no longer holds the thread.
            RunOverError: the run already has its terminal event.
            QuotaExceeded: the quota has no room for the event. A terminal event always has room.
        """
        row = transaction.rows.get(self.threads[0])
        if row is None:
            raise LeaseLostError("The thread is gone.")
        if self.fence is None:
            if row.active_run_id != self.run_id and transaction.is_over(row, self.run_id):
                raise RunOverError()
        else:
            row.require(self)
        if self.event_type not in TERMINAL:
            size = size_of(self.data if self.stream is None else self.delta) + FRAME_BYTES
            if self.room is None:
                transaction.require_room(row, size)
            else:
                self.room.require(transaction, row, size)
        if self.fence is None or not row.fresh:
            row.dirty = True
        if self.stream is not None:
            return transaction.append_delta(row, self.run_id, self.event_type, self.stream, self.delta, last=self.last)
        return transaction.append(row, self.run_id, self.event_type, self.data)

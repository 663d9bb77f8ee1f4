"""What one connection has to ask its driver for: pages of the journal, heads of threads. Pure: no I/O, no clock."""

from collections import OrderedDict
from typing import Generic, NamedTuple

from websocket_core.delivery.lane import Key, Lane


class Read(NamedTuple, Generic[Key]):
    """An order: read the journal of `thread` after `after`, as much as makes a page, and answer with `page`.

    Every Read is answered exactly once, with `page` or `read_failed`, also when it has become outdated meanwhile: the
    next one is only given then.
    """

    thread: Key
    after: int
    ticket: int


class Locate(NamedTuple, Generic[Key]):
    """An order: find the head `thread` had at the handshake and answer with `located` (or `read_failed`)."""

    thread: Key


class Orders(Generic[Key]):
    """The lanes that are behind, in turns, with one read in flight at most; and those whose cursor is not known.

    Args:
        max_buffer: characters of events that the connection's outbox may hold.
    """

    __slots__ = (
        "_behind",
        "_draining",
        "_hungry",
        "_lane",
        "_max_buffer",
        "_read",
        "_ticket",
        "_unlocated",
        "known_head",
    )

    def __init__(self, max_buffer: int) -> None:
        self._max_buffer = max_buffer
        self._behind: OrderedDict[Key, Lane[Key]] = OrderedDict()  # the first is next
        self._unlocated: dict[Key, Lane[Key]] = {}
        self._draining: dict[Key, Lane[Key]] = {}
        self._ticket = 0
        self._read: Read[Key] | None = None  # in flight
        self._lane: Lane[Key] | None = None  # its lane; None when it is outdated
        self._hungry = 0
        self.known_head = 0
        """The thread's head as known when the read that was answered last was ordered."""

    def look_up(self, lane: Lane[Key]) -> None:
        """See what must be asked about a lane, after its positions or its state have changed."""
        if lane.queued >= lane.head:
            lane.gap_seen = False
        if lane.open and lane.queued < lane.head and lane is not self._lane and not lane.drain_first:
            self._behind[lane.thread] = lane
        else:
            self._behind.pop(lane.thread, None)
        if lane.watched and not lane.located and not lane.locating:
            self._unlocated[lane.thread] = lane
        else:
            self._unlocated.pop(lane.thread, None)

    def involves(self, lane: Lane[Key]) -> bool:
        """Whether a lane is still needed here, for an order that is due, in flight, or waits for the queue."""
        name = lane.thread
        waits = name in self._behind or name in self._unlocated or name in self._draining
        return waits or lane is self._lane

    def outdate(self, lane: Lane[Key]) -> None:
        """A read in flight for this lane is no longer wanted."""
        if self._lane is lane:
            self._lane = None

    def answered(self, read: Read[Key]) -> Lane[Key] | None:
        """A read has come back; returns its lane, None when it is outdated."""
        if self._read is None or self._read.ticket != read.ticket:
            return None
        lane = self._lane
        self._read = self._lane = None
        self._hungry = 0
        return lane

    def starve(self, lane: Lane[Key], chars: int) -> None:
        """There was no room for the event of `chars` characters that is next: keep some free and read it next."""
        self._hungry = min(chars, self._max_buffer)
        self._behind.move_to_end(lane.thread, last=False)

    def drain_first(self, lane: Lane[Key]) -> None:
        """Ask about this lane again when its queue is empty."""
        lane.drain_first = True
        self._draining[lane.thread] = lane

    def look_up_drained(self) -> None:
        """Something was taken: see whether a lane has drained that was waited for."""
        for lane in list(self._draining.values()):
            if not lane.frames or not lane.drain_first:
                del self._draining[lane.thread]
                lane.drain_first = False
                self.look_up(lane)

    @property
    def keep_free(self) -> int:
        """Room that hints leave to the page to come, else busy threads could keep others behind for ever."""
        if self._read is not None:
            return max(self._hungry, self._max_buffer // 4)
        return max(self._hungry, self._max_buffer - self._max_buffer // 2) if self._behind else 0

    def due(self, used: int) -> bool:
        """Is there an order to give out, with `used` characters in the outbox?"""
        return bool(self._unlocated) or self._may_read(used)

    def give(self, used: int) -> list[Read[Key] | Locate[Key]]:
        """The orders that are due."""
        orders: list[Read[Key] | Locate[Key]] = []
        for lane in self._unlocated.values():
            lane.locating = True
            orders.append(Locate(lane.thread))
        self._unlocated.clear()
        if self._may_read(used):
            _, lane = self._behind.popitem(last=False)
            self._ticket += 1
            self._read = Read(lane.thread, lane.queued, self._ticket)
            self._lane = lane
            self.known_head = lane.head
            orders.append(self._read)
        return orders

    def _may_read(self, used: int) -> bool:
        if not self._behind or self._read is not None:
            return False
        return not used or (used * 2 <= self._max_buffer and used + self._hungry <= self._max_buffer)

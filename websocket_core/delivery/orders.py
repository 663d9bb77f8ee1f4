"""What one connection requests from its driver: pages of the journal, heads of threads. Pure: no I/O, no clock."""

from collections import OrderedDict
from typing import Generic, NamedTuple

from websocket_core.delivery.lane import Key, Lane


class Read(NamedTuple, Generic[Key]):
    """An order: read a page of `thread` after `after` from the journal, and answer with `page`.

    Every `Read` is answered exactly once, with `page` or `read_failed`, even if it has become outdated. The next one is
    only issued after that.
    """

    thread: Key
    after: int
    ticket: int


class Locate(NamedTuple, Generic[Key]):
    """An order: find the head that `thread` had at the handshake, and answer with `located` (or `read_failed`)."""

    thread: Key


class Orders(Generic[Key]):
    """The lanes that are behind, in turns, with at most one read in progress, and the lanes without a known cursor.

    Args:
        max_buffer: the most characters of events in the connection's outbox.
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
        self._behind: OrderedDict[Key, Lane[Key]] = OrderedDict()  # the first one is next
        self._unlocated: dict[Key, Lane[Key]] = {}
        self._draining: dict[Key, Lane[Key]] = {}
        self._ticket = 0
        self._read: Read[Key] | None = None  # in progress
        self._lane: Lane[Key] | None = None  # the lane of the read; None if it is outdated
        self._hungry = 0
        self.known_head = 0
        """The thread's head that was known when the last answered read was ordered."""

    def look_up(self, lane: Lane[Key]) -> None:
        """Determine what a lane needs, after its positions or its state have changed."""
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
        """Whether the lane still has an order that is due, in progress, or waiting for an empty queue."""
        name = lane.thread
        waits = name in self._behind or name in self._unlocated or name in self._draining
        return waits or lane is self._lane

    def outdate(self, lane: Lane[Key]) -> None:
        """Mark a read in progress for this lane as outdated."""
        if self._lane is lane:
            self._lane = None

    def answered(self, read: Read[Key]) -> Lane[Key] | None:
        """Finish a read. Returns its lane, or `None` if it is outdated."""
        if self._read is None or self._read.ticket != read.ticket:
            return None
        lane = self._lane
        self._read = self._lane = None
        self._hungry = 0
        return lane

    def starve(self, lane: Lane[Key], chars: int) -> None:
        """Keep room free for the next event of a lane, which did not fit, and read it next."""
        self._hungry = min(chars, self._max_buffer)
        self._behind.move_to_end(lane.thread, last=False)

    def drain_first(self, lane: Lane[Key]) -> None:
        """Read for this lane again when its queue is empty."""
        lane.drain_first = True
        self._draining[lane.thread] = lane

    def look_up_drained(self) -> None:
        """Called after a `take`: check for lanes whose queue has become empty."""
        for lane in list(self._draining.values()):
            if not lane.frames or not lane.drain_first:
                del self._draining[lane.thread]
                lane.drain_first = False
                self.look_up(lane)

    @property
    def keep_free(self) -> int:
        """Room that hints leave for the next page. Otherwise busy threads could keep others behind for ever."""
        if self._read is not None:
            return max(self._hungry, self._max_buffer // 4)
        return max(self._hungry, self._max_buffer - self._max_buffer // 2) if self._behind else 0

    def due(self, used: int) -> bool:
        """Whether an order is due, with `used` characters in the outbox."""
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

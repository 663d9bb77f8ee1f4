"""The threads of one connection: a lane for each active one, a position for the others. Pure."""

from collections.abc import Mapping
from typing import Generic

from websocket_core.delivery.lane import Key, Lane
from websocket_core.delivery.orders import Orders
from websocket_core.delivery.positions import Position, Positions

LANE_BYTES = 1024  # approximate cost of an active thread
POSITION_BYTES = 384  # approximate cost of an inactive thread
SETTLE_AT = 64  # from this many lanes, inactive ones are reduced to positions


class Threads(Generic[Key]):
    """Lanes and positions.

    Args:
        heads: last seq of each of the user's threads at the handshake, which is also the cursor. Copied.
        orders: may need lanes in which nothing waits.
        complete: `True` if an unknown thread begins at 0. `False` if `heads` may lack threads; an unknown one is then
            located first.
        max_bytes: approximate limit of memory beyond `heads`; see `crowded`.
    """

    __slots__ = ("_complete", "_max_bytes", "_orders", "_settle_at", "lanes", "positions", "watched")

    def __init__(self, heads: Mapping[Key, int], orders: Orders[Key], *, complete: bool, max_bytes: int) -> None:
        self.lanes: dict[Key, Lane[Key]] = {}
        self.positions = Positions(heads)  # of inactive threads: a lane is created on the first activity
        self.watched: dict[Key, None] | None = None  # an ordered set; None means all
        self._complete = complete
        self._max_bytes = max_bytes + len(heads) * POSITION_BYTES
        self._orders = orders
        self._settle_at = SETTLE_AT

    def meet(self, thread: Key) -> Lane[Key]:
        """Create the lane of a thread that becomes active."""
        if len(self.lanes) >= self._settle_at:
            self.settle()
        known = self.positions.pop(thread)
        lane = Lane(
            thread,
            known.sent if known else 0,
            located=self._complete or known is not None,
            watched=self.watched is None or thread in self.watched,
        )
        if known:
            lane.head, lane.high_before = known.head, known.high
        self.lanes[thread] = lane
        return lane

    def settle(self) -> None:
        """Reduce inactive lanes to their positions."""
        for lane in [lane for lane in self.lanes.values() if lane.resting and not self._orders.involves(lane)]:
            del self.lanes[lane.thread]
            self.positions.keep(lane.thread, Position(lane.sent, lane.head, lane.high))
        self._settle_at = max(SETTLE_AT, 2 * len(self.lanes))

    def stands_at(self, thread: Key, cursor: int, *, settled: bool) -> bool:
        """Whether a thread without a lane continues after `cursor`, whatever happens next.

        Args:
            settled: whether a `Locate` would find this cursor.
        """
        known = self.positions.get(thread)
        if known is None:
            return settled or (self._complete and not cursor)
        return known == Position(cursor, cursor, cursor)

    def cursor(self, thread: Key) -> int | None:
        """The last seq sent, or the one after which the thread starts. `None` if unknown."""
        lane = self.lanes.get(thread)
        if lane is not None:
            return lane.sent if lane.located else None
        return self.positions.cursor(thread, 0 if self._complete else None)

    def high(self, thread: Key) -> int:
        """The last seq that the client may name; 0 if unknown."""
        lane = self.lanes.get(thread)
        return self.positions.high(thread) if lane is None else lane.high

    @property
    def crowded(self) -> bool:
        """Whether there are too many threads, even after inactive ones are reduced to positions."""
        if self._bytes <= self._max_bytes:
            return False
        self.settle()
        return self._bytes > self._max_bytes

    @property
    def _bytes(self) -> int:
        return len(self.lanes) * LANE_BYTES + (len(self.positions) + len(self.watched or ())) * POSITION_BYTES

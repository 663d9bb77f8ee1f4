"""Processes the answers to a connection's reads: they close gaps, or show that events were pruned. Pure."""

from collections.abc import Sequence
from typing import Generic

from websocket_core.delivery.lane import Key, Lane
from websocket_core.delivery.orders import Orders, Read
from websocket_core.delivery.outbox import Outbox


class Pages(Generic[Key]):
    """Puts pages of the journal into the outbox."""

    __slots__ = ("_orders", "_outbox", "healed")

    def __init__(self, outbox: Outbox[Key], orders: Orders[Key]) -> None:
        self._outbox, self._orders = outbox, orders
        self.healed = 0
        """Gaps closed."""

    def take_in(self, read: Read[Key], frames: Sequence[str], first_seq: int | None) -> bool:
        """See `Delivery.page`."""
        lane = self._orders.answered(read)
        if lane is None:
            return False
        skipped = hungry = False
        fresh = frames[lane.queued - read.after :]
        if fresh:
            lane.head = max(lane.head, read.after + len(frames))
            hungry = not self._outbox.put(lane, fresh)
        elif not frames and lane.queued == read.after:
            skipped = self._find_nothing(lane, first_seq)
        if lane.gap_seen and lane.queued >= lane.head:
            self.healed += 1
        self._orders.look_up(lane)
        if hungry:
            self._orders.starve(lane, len(fresh[0]))
        return skipped

    def _find_nothing(self, lane: Lane[Key], first_seq: int | None) -> bool:
        """The journal has nothing after the queue. Returns `True` if pruned events were skipped."""
        skipped = first_seq is not None and first_seq > lane.queued + 1
        if first_seq is not None and skipped:
            if lane.frames:  # waiting frames go first, then the journal is read again
                self._orders.drain_first(lane)
                return False
            lane.jump(first_seq - 1)
        elif lane.head <= self._orders.known_head:  # otherwise an event was committed after the read
            lane.head = lane.queued
            lane.replay_to = min(lane.replay_to, lane.queued)
        if lane.replayed:
            self._outbox.control_late(lane.end_replay())  # after the `cursor_expired` that the driver sends next
        return skipped

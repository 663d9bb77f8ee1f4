"""Decides which threads of one connection may flow: those that its client watches. Pure: no I/O, no clock."""

from collections.abc import Iterable
from typing import Generic

from websocket_core.delivery.lane import Key, Lane
from websocket_core.delivery.orders import Orders
from websocket_core.delivery.outbox import Outbox
from websocket_core.delivery.threads import Threads


class Flow(Generic[Key]):
    """Opens and closes lanes. A closed lane keeps its cursor and continues from there later."""

    __slots__ = ("_orders", "_outbox", "_threads")

    def __init__(self, threads: Threads[Key], outbox: Outbox[Key], orders: Orders[Key]) -> None:
        self._threads, self._outbox, self._orders = threads, outbox, orders

    def watch(self, watched: Iterable[Key] | None) -> None:
        """Let only these threads flow; `None` means all."""
        threads = self._threads
        before, now = threads.watched, None if watched is None else dict.fromkeys(watched)
        threads.watched = now
        if now is None:
            if before is not None:
                for lane in threads.lanes.values():
                    self._set_watched(lane, watched=True)
                self._open(thread for thread in threads.positions.paused() if thread not in before)
        elif before is None:
            for lane in threads.lanes.values():
                self._set_watched(lane, watched=lane.thread in now)
        else:
            for thread in before.keys() - now.keys():
                left_out = threads.lanes.get(thread)
                if left_out is not None:
                    self._set_watched(left_out, watched=False)
            self._open(now.keys() - before.keys())

    def follow(self, thread: Key) -> None:
        """Add a thread to the watched ones."""
        watched = self._threads.watched
        if watched is not None and thread not in watched:
            watched[thread] = None
            self._open((thread,))

    def take_back(self, lane: Lane[Key]) -> None:
        """Discard what is queued for a lane but not sent, and what a read in progress would bring."""
        self._outbox.take_back(lane)
        self._orders.outdate(lane)

    def _open(self, watched: Iterable[Key]) -> None:
        """Start to watch these threads."""
        for thread in watched:
            lane = self._threads.lanes.get(thread)
            if lane is not None:
                self._set_watched(lane, watched=True)
            elif self._threads.positions.is_behind(thread):
                self._orders.look_up(self._threads.meet(thread))

    def _set_watched(self, lane: Lane[Key], *, watched: bool) -> None:
        if watched != lane.watched:
            lane.watched = watched
            lane.open = watched and lane.located
            if not watched:
                self.take_back(lane)
            self._orders.look_up(lane)

"""One channel of the in-process layer: what waits for its readers, and the readers that wait.

Nothing here locks: the layer calls it with its lock held.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from websocket_core.process import metrics

Message = dict[str, Any]


class Channel:
    """Messages for readers, or readers for messages.

    Attributes:
        messages: with the moment (`time.monotonic()`) each of them expires at, oldest first.
        waiters: readers that sleep, and were not woken yet.
        readers: `receive` calls under way; the layer keeps the channel while there is one.
    """

    __slots__ = ("messages", "readers", "waiters")

    def __init__(self) -> None:
        self.messages: deque[tuple[float, Message]] = deque()
        self.waiters: list[asyncio.Future[None]] = []
        self.readers = 0

    def expire(self, now: float) -> int:
        """Drop what has waited for too long; returns how many messages that were."""
        count = 0
        while self.messages and self.messages[0][0] <= now:
            self.messages.popleft()
            count += 1
            metrics.layer_dropped.labels("expired").inc()
        return count

    def wake(self) -> None:
        """Wake one reader that still can be woken. The message stays where it is until that reader takes it."""
        try:
            here: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        while self.waiters:
            waiter = self.waiters.pop(0)
            if waiter.done():
                continue
            loop = waiter.get_loop()
            if loop is here:
                waiter.set_result(None)
                return
            try:
                loop.call_soon_threadsafe(_set, waiter)
                return
            except RuntimeError:  # that loop was closed with the reader asleep in it
                self.readers -= 1

    def stop_waiting(self, waiter: asyncio.Future[None] | None) -> None:
        """A reader was cancelled: if it had been woken already, the message is another reader's now."""
        if waiter in self.waiters:
            self.waiters.remove(waiter)
        elif self.messages:
            self.wake()


def _set(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)

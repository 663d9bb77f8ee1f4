"""One channel of the in-process layer: its waiting messages and its waiting readers.

Nothing here locks: the layer calls it with its lock held.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from websocket_core.process import metrics

Message = dict[str, Any]


class Channel:
    """A channel's messages and readers.

    Attributes:
        messages: each with the time (`time.monotonic()`) at which it expires, oldest first.
        waiters: readers that sleep and have not been woken yet.
        readers: number of `receive` calls in progress. The layer keeps the channel while there is one.
    """

    __slots__ = ("messages", "readers", "waiters")

    def __init__(self) -> None:
        self.messages: deque[tuple[float, Message]] = deque()
        self.waiters: list[asyncio.Future[None]] = []
        self.readers = 0

    def expire(self, now: float) -> int:
        """Drop expired messages and return how many there were."""
        count = 0
        while self.messages and self.messages[0][0] <= now:
            self.messages.popleft()
            count += 1
            metrics.layer_dropped.labels("expired").inc()
        return count

    def wake(self) -> None:
        """Wake one sleeping reader. The message stays in the channel until that reader takes it."""
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
            except RuntimeError:  # the reader's loop was closed while it slept
                self.readers -= 1

    def stop_waiting(self, waiter: asyncio.Future[None] | None) -> None:
        """Called when a reader is cancelled. If it had already been woken, another reader is woken for its message."""
        if waiter in self.waiters:
            self.waiters.remove(waiter)
        elif self.messages:
            self.wake()


def _set(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)

"""The messages of a connection for its application: a queue that reports when it is full, but never refuses."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

Message = dict[str, Any]


class Inbox:
    """ASGI messages on their way to one application.

    `get` is the application's `receive`. The code that fills the inbox checks `full` and pauses; `on_room` is called
    when half of it is free again.
    """

    __slots__ = ("_bytes", "_max_bytes", "_max_messages", "_messages", "_on_room", "_waiters", "full")

    def __init__(self, max_messages: int, max_bytes: int, on_room: Callable[[], None] | None = None) -> None:
        self._messages: deque[tuple[Message, int]] | None = None  # created when needed: most connections are idle
        self._waiters: list[asyncio.Future[None]] | None = None
        self._bytes = 0
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._on_room = on_room
        self.full = False

    def put_nowait(self, message: Message, size: int = 0) -> None:
        """Add a message of `size` bytes. It is accepted even if the inbox is full."""
        if self._messages is None:
            self._messages = deque()
        self._messages.append((message, size))
        self._bytes += size
        self.full = len(self._messages) > self._max_messages or self._bytes > self._max_bytes
        self._wake()

    def end(self, message: Message) -> None:
        """Add the last message, after the unread ones. From now on, the inbox never reports that it is full."""
        self._on_room = None
        self.put_nowait(message)
        self.full = False

    async def get(self) -> Message:
        """Wait for the oldest message and return it. A cancelled call removes nothing."""
        while not self._messages:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            if self._waiters is None:
                self._waiters = []
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
                elif self._messages:
                    self._wake()  # this call was woken for a message that it does not take
                raise
        message, size = self._messages.popleft()
        if not self._messages:
            self._messages = None
        self._bytes -= size
        if self.full and len(self._messages or ()) <= self._max_messages // 2 and self._bytes <= self._max_bytes // 2:
            self.full = False
            if self._on_room is not None:
                self._on_room()
        return message

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.pop(0)
            if not waiter.done():
                waiter.set_result(None)
                return

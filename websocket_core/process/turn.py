"""Limits how long a task may hold the event loop before others get it."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType

SLICE_SECONDS = 0.002  # one user may have twenty sockets, and so twenty slices in a row


class Turn:
    """Adds up the time spent in its `with` blocks, and yields the event loop once that is too long.

    Some awaits never yield by themselves: a message that is already there, or an answer that needs no database.
    """

    __slots__ = ("_began", "_spent")

    def __init__(self) -> None:
        self._began = self._spent = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._spent += time.perf_counter() - self._began

    async def share(self) -> None:
        """Let other tasks run if this one has used up its slice."""
        if self._spent > SLICE_SECONDS:
            self._spent = 0.0
            await asyncio.sleep(0)

"""How long a task may have the event loop before others get it."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType

SLICE_SECONDS = 0.002  # one user may have twenty sockets, and so twenty of these in a row


class Turn:
    """Counts the time spent in its `with` blocks, and gives the loop to others when it was long.

    Nothing gives the loop away by itself: neither a message that is there already, nor an answer without a database.
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
        """Let others have their turn, if this task has had its own."""
        if self._spent > SLICE_SECONDS:
            self._spent = 0.0
            await asyncio.sleep(0)

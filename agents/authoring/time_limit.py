"""The time limit of a run. Its clock stops while a person is asked, because that time is not the agent's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context


class TimeLimit:
    """A countdown that can be paused.

    Args:
        seconds: the total time.
        over: called once when the time is over.
    """

    def __init__(self, seconds: float, over: Callable[[], None]) -> None:
        self._left, self._over = seconds, over
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._began = 0.0
        self._pauses = 0  # several questions may be open at the same time
        self._resume()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the clock inside the block."""
        self._pause()
        self._pauses += 1
        try:
            yield
        finally:
            self._pauses -= 1
            if not self._pauses:
                self._resume()

    def end(self) -> None:
        """Stop for good: `over` is not called after this."""
        self._pause()
        self._pauses += 1

    def _pause(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._left -= self._loop.time() - self._began

    def _resume(self) -> None:
        self._began = self._loop.time()
        # An event loop may keep a cancelled timer, and its context, until the timer is due. The run's own context would
        # keep everything of the run in memory.
        self._timer = self._loop.call_later(max(self._left, 0), self._on_timer, context=Context())

    def _on_timer(self) -> None:
        self._timer = None
        self._over()

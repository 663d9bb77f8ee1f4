"""How long a run may take. The clock stands still while a person is asked: their thinking time is not the agent's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context


class TimeLimit:
    """A stopwatch that counts down and can be stopped on the way.

    Args:
        seconds: how long it may run, all in all.
        over: called once when the time is over.
    """

    def __init__(self, seconds: float, over: Callable[[], None]) -> None:
        self._left, self._over = seconds, over
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._began = 0.0
        self._pauses = 0  # several questions may be open at once
        self._resume()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The clock stands still inside the block."""
        self._pause()
        self._pauses += 1
        try:
            yield
        finally:
            self._pauses -= 1
            if not self._pauses:
                self._resume()

    def end(self) -> None:
        """Nobody counts any more; `over` is not called after this."""
        self._pause()
        self._pauses += 1

    def _pause(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._left -= self._loop.time() - self._began

    def _resume(self) -> None:
        self._began = self._loop.time()
        # An event loop may keep a cancelled timer until its time has come, and the context with it. The run's own would
        # lead to all that the run had.
        self._timer = self._loop.call_later(max(self._left, 0), self._on_timer, context=Context())

    def _on_timer(self) -> None:
        self._timer = None
        self._over()

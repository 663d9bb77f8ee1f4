"""The life of this process: which event loops serve, whether it is on its way out, and what is to be done then.

Objects are registered here, not names: two event loops of a process each have connections and runs, and both of them
end well.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from websocket_core.database import db

log = logging.getLogger(__name__)

Begin = Callable[[], None]
DrainStep = Callable[[], Awaitable[None]]


class ServingLoop(Protocol):
    """What an event loop has that must end well."""

    loop: asyncio.AbstractEventLoop

    async def drain(self) -> None:
        """End all of it. Runs on its own loop, and does not raise."""


class Lifecycle:
    """Whether the process drains, what begins with each event loop that serves, and what ends with the process.

    Attributes:
        draining: the process is on its way out: it is not ready, and takes nothing new.
    """

    def __init__(self) -> None:
        self.draining = False
        self._begins: list[Begin] = []
        self._loops: dict[ServingLoop, None] = {}  # each joins and leaves in its own thread
        self._steps: list[DrainStep] = []
        self._closes: list[Callable[[], object]] = []

    def on_serve(self, begin: Begin) -> None:
        """Call this on every event loop that begins to serve from now on. For apps, when Django is set up."""
        if begin not in self._begins:
            self._begins.append(begin)

    def begin_serving(self) -> None:
        """Call what was registered with `on_serve`, on the running event loop."""
        for begin in self._begins:
            begin()

    def join(self, serving: ServingLoop) -> None:
        """Drain this together with the process."""
        for ended in [other for other in list(self._loops) if other.loop.is_closed()]:
            self._loops.pop(ended, None)
        self._loops[serving] = None

    def leave(self, serving: ServingLoop) -> None:
        """It is drained already. Idempotent."""
        self._loops.pop(serving, None)

    def on_drain(self, step: DrainStep) -> None:
        """Take this step when all event loops are drained, on the loop that drains the process."""
        if step not in self._steps:
            self._steps.append(step)

    def on_end(self, close: Callable[[], object]) -> None:
        """Call this whenever the process's state ends. For objects that every use begins anew."""
        self._closes.append(close)

    def begin_drain(self) -> None:
        """From now on the process is not ready and takes nothing new."""
        self.draining = True

    async def drain(self) -> None:
        """Drain every event loop that serves, side by side, then take the other steps in order.

        A step that fails is logged and does not keep the others from being taken.
        """
        self.begin_drain()
        await asyncio.gather(*(_drained(serving) for serving in list(self._loops)))
        for step in list(self._steps):
            try:
                await step()
            except Exception:
                log.exception("drain step %s failed", getattr(step, "__qualname__", step))

    def end(self) -> None:
        """End what lives in the process: threads with their database connections, and what `on_end` was told of.

        What is used after that begins anew.
        """
        for close in self._closes:
            close()
        db.close_all()
        self.draining = False
        self._loops.clear()
        self._steps.clear()


async def _drained(serving: ServingLoop) -> None:
    loop = serving.loop
    try:
        if loop is asyncio.get_running_loop():
            await serving.drain()
        elif loop.is_running():
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(serving.drain(), loop))
    except Exception:
        log.exception("an event loop could not be drained")


lifecycle = Lifecycle()

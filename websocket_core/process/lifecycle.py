"""The life cycle of this process: which event loops serve, whether the process drains, and the steps of the drain.

It registers objects, not names. If two event loops of a process have connections and runs, both are drained.
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
    """The part of an event loop that has to be drained."""

    loop: asyncio.AbstractEventLoop

    async def drain(self) -> None:
        """End everything on it. Runs on its own loop and does not raise."""


class Lifecycle:
    """Knows whether the process drains, what starts with each serving event loop, and what ends with the process.

    Attributes:
        draining: the process is shutting down. It is not ready and accepts nothing new.
    """

    def __init__(self) -> None:
        self.draining = False
        self._begins: list[Begin] = []
        self._loops: dict[ServingLoop, None] = {}  # each joins and leaves from its own thread
        self._steps: list[DrainStep] = []
        self._closes: list[Callable[[], object]] = []

    def on_serve(self, begin: Begin) -> None:
        """Call `begin` on every event loop that starts to serve from now on. For apps, while Django is set up."""
        if begin not in self._begins:
            self._begins.append(begin)

    def begin_serving(self) -> None:
        """Call everything registered with `on_serve`. Must be called on the serving event loop."""
        for begin in self._begins:
            begin()

    def join(self, serving: ServingLoop) -> None:
        """Drain this object together with the process."""
        for ended in [other for other in list(self._loops) if other.loop.is_closed()]:
            self._loops.pop(ended, None)
        self._loops[serving] = None

    def leave(self, serving: ServingLoop) -> None:
        """Forget an object that is already drained. Idempotent."""
        self._loops.pop(serving, None)

    def on_drain(self, step: DrainStep) -> None:
        """Run this step after all event loops are drained, on the loop that drains the process."""
        if step not in self._steps:
            self._steps.append(step)

    def on_end(self, close: Callable[[], object]) -> None:
        """Call `close` whenever the state of the process is reset. For objects that start afresh when next used."""
        self._closes.append(close)

    def begin_drain(self) -> None:
        """Make the process not ready: from now on it accepts nothing new."""
        self.draining = True

    async def drain(self) -> None:
        """Drain every serving event loop concurrently, then run the other steps in order.

        A failed step is logged, and the next step runs.
        """
        self.begin_drain()
        await asyncio.gather(*(_drained(serving) for serving in list(self._loops)))
        for step in list(self._steps):
            try:
                await step()
            except Exception:
                log.exception("drain step %s failed", getattr(step, "__qualname__", step))

    def end(self) -> None:
        """End everything that lives in the process: database threads with their connections, and objects with `on_end`.

        Anything that is used afterwards starts afresh.
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

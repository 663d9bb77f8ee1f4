"""Claims queued runs whose thread is free and that no process executes.

They were started where runs cannot be executed (a view under WSGI, a command, a task of a queue), or their process was
about to end. Every serving process looks for them, and the claim decides who executes.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time

from netra.agents.conf import conf
from netra.agents.ledger import neglected as neglected_runs
from netra.agents.running import Runner
from netra.agents.service.dispatcher import Dispatcher
from websocket_core.database import db
from websocket_core.process.background import ForEach, Outage, repeat
from websocket_core.process.garbage import return_memory
from websocket_core.process.lifecycle import lifecycle
from websocket_core.process.tasks import process_task

log = logging.getLogger(__name__)

TIDY_SECONDS = 10.0  # interval at which memory of runs is returned to the system, while there are new ones


class RunTaker:
    """Looks every `LOOK_SECONDS` and whenever a process rings, while the process serves."""

    def __init__(self, dispatcher: Dispatcher, runner: Runner) -> None:
        self._dispatcher, self._runner = dispatcher, runner
        self._each = ForEach(log, "taking a queued run")
        self._begun, self._tidy_from = 0, 0.0  # runs begun when memory was last returned; time.monotonic()
        self._once_more = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start, once per event loop."""
        if self._task is None:
            self._task = process_task(repeat(Outage(log, "taker of queued runs"), self._run), "netra-taker")

    async def stop(self) -> None:
        """End the task."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def look(self, *, rung: bool = True) -> None:
        """Look once. Resting runs are included only after a ring: they may be many, and the sweeper handles them."""
        if lifecycle.draining or not self._dispatcher.executes():
            return
        found = await db.read(neglected_runs.unclaimed_threads)
        if rung:
            found += await db.read(neglected_runs.decided_threads)
        random.shuffle(found)  # several processes look at the same time
        await self._each.take(found, self._take)

    async def _take(self, thread: tuple[str, str]) -> None:
        await self._dispatcher.proceed(*thread)

    async def _run(self) -> None:
        try:
            async with asyncio.timeout(conf.LOOK_SECONDS):
                await self._dispatcher.rung.wait()
        except TimeoutError:
            pass
        rung = self._dispatcher.rung.is_set()
        self._dispatcher.rung.clear()
        await self.look(rung=rung)
        await self._tidy()

    async def _tidy(self) -> None:
        begun = self._runner.begun
        if (begun != self._begun or self._once_more) and time.monotonic() >= self._tidy_from:
            self._once_more = begun != self._begun  # runs in progress now will be over then
            self._begun, self._tidy_from = begun, time.monotonic() + TIDY_SECONDS
            await db.read(return_memory)

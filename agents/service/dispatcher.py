"""Sends runs to the process that executes them: this one, another serving process, or the executor's workers."""

from __future__ import annotations

import asyncio
from typing import Any

from netra.agents.executors import Executor, hand_over
from netra.agents.ledger.leases import ClaimRun
from netra.agents.ledger.moves import Lease
from netra.agents.models import OPEN, Run
from netra.agents.running import Runner
from netra.agents.running.bell import RUNNERS_NEWS, listen
from websocket_core.database import db
from websocket_core.gateway import get_gateway
from websocket_core.process.heartbeat import this_process
from websocket_core.process.lifecycle import lifecycle
from websocket_core.process.tasks import process_task


class Dispatcher:
    """Decides where runs are executed, and notifies the runners of all processes.

    Attributes:
        rung: set when a process has rung for runners. The code that waits for it clears it.
    """

    def __init__(self, executor: Executor, runner: Runner) -> None:
        self.executor, self._runner = executor, runner
        self.rung = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None

    def executes(self) -> bool:
        """Whether serving processes execute runs themselves, instead of workers."""
        return self.executor.claims_at_start

    def execute(self, lease: Lease) -> asyncio.Task[Any]:
        """Execute a leased run here, and then the runs that wait behind it in its thread."""
        self.listen()
        return self._runner.execute(lease)

    async def execute_next(self, owner_id: str, thread_id: str) -> None:
        """Claim the next run of a thread and execute it here, then the runs that wait behind it. For workers.

        Returns when the last of these runs is over, or at once if there is nothing to do.
        """
        lease = await get_gateway().journal.submit(ClaimRun(owner_id, thread_id, this_process.process_id))
        if lease is not None:
            await self.execute(lease)

    async def proceed(self, owner_id: str, thread_id: str) -> None:
        """Let the next run of a thread proceed: here, or where the executor sends it."""
        if not self.executes():
            await db.write(enqueue_next, self.executor, owner_id, thread_id)
        elif lifecycle.draining or not get_gateway().serves:
            self.tell_runners()  # a process that can execute the run claims it
        else:
            lease = await get_gateway().journal.submit(ClaimRun(owner_id, thread_id, this_process.process_id))
            if lease is not None:
                self.execute(lease)

    def tell_runners(self) -> None:
        """Let the runners of this and every other process look at once."""
        self._runner.look()
        get_gateway().bell.ring(RUNNERS_NEWS)

    def listen(self) -> None:
        """Listen for other processes, until `stop`."""
        if self._listener is None:
            self._listener = process_task(listen(self._hear), "netra-runner-listen")

    async def stop(self) -> None:
        """Stop listening. Idempotent."""
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.wait([self._listener])
            self._listener = None

    def _hear(self) -> None:
        self._runner.look()
        self.rung.set()


def enqueue_next(executor: Executor, owner_id: str, thread_id: str) -> None:
    """Hand over the run that can proceed in a thread: the resting one, otherwise the next queued one."""
    runs = Run.objects.filter(owner_id=owner_id, thread__thread_id=thread_id, status__in=OPEN)
    run = (
        runs.filter(resting=True).first()
        or runs.filter(status="queued", thread__active_run_id=None).order_by("pk").first()
    )
    if run is not None:
        hand_over(executor, run, again=True)

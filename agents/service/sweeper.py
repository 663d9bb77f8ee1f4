"""Looks, in every process, for runs that need attention: their worker died, or their thread became free unnoticed.

A run with an expired lease is ended as failed. A run that had not started is taken over. An approval that nobody
answered in time expires.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime

from netra.agents.conf import conf
from netra.agents.errors import UnknownAgentError
from netra.agents.follow_up import announcer
from netra.agents.ledger import neglected as neglected_runs
from netra.agents.ledger.endings import ReapRun
from netra.agents.ledger.moves import TERMINAL_STATUS
from netra.agents.observing import Tracer
from netra.agents.observing.run_watch import ended
from netra.agents.registry import find
from netra.agents.running import Runner
from netra.agents.service.dispatcher import Dispatcher
from websocket_core.database import db
from websocket_core.errors import ClientError, JournalUnavailable
from websocket_core.gateway import get_gateway
from websocket_core.process.background import AWAY, ForEach, Outage, repeat
from websocket_core.process.heartbeat import look_after_processes
from websocket_core.process.lifecycle import lifecycle
from websocket_core.process.tasks import process_task
from websocket_core.retention.removal import keep_removing

log = logging.getLogger(__name__)

Step = tuple[str, Callable[[], Awaitable[object]]]  # what it is about, for the log, and how it is taken


class Sweeper:
    """Sweeps every `SWEEP_SECONDS` while the process serves.

    Args:
        dispatcher: lets threads proceed.
        runner: knows which runs are executed here.
        tracer: ends the traces of lost runs.
        decide: `RunRuntime.decide`.
        more: further steps of a sweep, each with its name for the log.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        runner: Runner,
        tracer: Tracer,
        decide: Callable[..., Awaitable[None]],
        more: Iterable[Step] = (),
    ) -> None:
        self._dispatcher, self._runner, self._tracer, self._decide = dispatcher, runner, tracer, decide
        self._task: asyncio.Task[None] | None = None
        self._remover: asyncio.Task[None] | None = None  # a separate task, so that no sweep waits for it
        self._reap_from = 0.0  # time.monotonic() before which expired leases may still be renewed
        # An error in one of these steps must not stop the others.
        self._steps: list[tuple[Outage, Callable[[], Awaitable[object]]]] = [
            (Outage(log, "sweeper, processes"), look_after_processes),
            (Outage(log, "sweeper, lost runs"), self._reap),
            (Outage(log, "sweeper, expired approvals"), self._expire),
            (Outage(log, "sweeper, orphaned threads"), self._adopt),
            (Outage(log, "sweeper, ends of runs"), announcer.look),
            *((Outage(log, f"sweeper, {what}"), step) for what, step in more),
        ]
        self._each_lost = ForEach(log, "ending a lost run")
        self._each_expired = ForEach(log, "expiring an approval")
        self._each_orphaned = ForEach(log, "continuing a thread")

    @property
    def started(self) -> bool:
        """Whether it sweeps."""
        return self._task is not None

    def start(self) -> None:
        """Start, once per event loop."""
        if self._task is None:
            self._task = process_task(repeat(Outage(log, "sweeper"), self._run), "netra-sweeper")
            self._remover = process_task(keep_removing(conf.SWEEP_SECONDS), "netra-remover")

    async def stop(self) -> None:
        """End the tasks."""
        for task in (self._task, self._remover):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])

    async def _run(self) -> None:
        await self.sweep()
        await asyncio.sleep(conf.SWEEP_SECONDS)

    async def sweep(self) -> None:
        """Sweep once. Errors of a step are logged, and the other steps still run."""
        for outage, step in self._steps:
            with outage.outlived():
                await step()

    async def _reap(self) -> None:
        if time.monotonic() < self._reap_from:
            return
        try:
            await self._each_lost.take(await db.read(neglected_runs.stale_runs), self._reap_one)
        except AWAY:
            # While the database was unavailable, no lease could be renewed. The holders get one lease's time to do so.
            self._reap_from = time.monotonic() + conf.LEASE_SECONDS
            raise

    async def _reap_one(self, stale: tuple[str, str, int, str]) -> None:
        owner_id, thread_id, run_pk, agent_type = stale
        if self._runner.holds(run_pk):
            return  # it is executed here, and its lease is about to be renewed
        operation = ReapRun(owner_id, thread_id, run_pk, retry=_retries(agent_type), executor=self._dispatcher.executor)
        if await get_gateway().journal.submit(operation):
            self._note_end(agent_type, operation)
            log.warning("run %s: its worker was lost", run_pk)
            await self._dispatcher.proceed(owner_id, thread_id)

    async def _expire(self) -> None:
        expired = await db.read(neglected_runs.expired_approvals, datetime.now(UTC))
        await self._each_expired.take(expired, self._expire_one)

    async def _expire_one(self, expired: tuple[str, str, str, str]) -> None:
        try:
            await self._decide(*expired, approved=False, value=None, by="expired")
        except JournalUnavailable:
            raise
        except ClientError:
            pass  # decided just now

    async def _adopt(self) -> None:
        if not lifecycle.draining:
            orphaned = await db.read(neglected_runs.orphaned_threads, datetime.now(UTC))
            await self._each_orphaned.take(orphaned, self._adopt_one)

    async def _adopt_one(self, orphaned: tuple[str, str]) -> None:
        await self._dispatcher.proceed(*orphaned)

    def _note_end(self, agent_type: str, operation: ReapRun) -> None:
        event_type, data = operation.terminal.event_type, operation.terminal.data
        ended(agent_type, str(TERMINAL_STATUS[event_type]), data.get("code", ""))
        with self._tracer.ending(event_type, operation.trace):
            pass  # an empty span that ends the trace of the lost process


def _retries(agent_type: str) -> bool:
    try:
        return find(agent_type).on_loss == "retry"
    except UnknownAgentError:
        return False

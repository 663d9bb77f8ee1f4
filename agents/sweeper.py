"""Looks, in every process, for runs that nobody has any more: their worker died, or the thread they waited in became
free while nobody was there.

A run whose lease ran out ends honestly; a run that had not started is taken over; a question nobody answered in time
is void.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from weakref import WeakKeyDictionary

from agents import neglected_runs
from agents.conf import conf
from agents.errors import UnknownAgentError
from agents.executors import get_executor
from agents.ledger import TERMINAL_STATUS
from agents.ledger_endings import ReapRun
from agents.registry import find
from agents.run_watch import ended
from agents.runner import get_runner
from agents.runtime import RunRuntime
from agents.tracing import get_tracer
from websocket_core import db
from websocket_core.errors import ClientError
from websocket_core.journal import get_journal
from websocket_core.lifecycle import is_draining, lifecycle
from websocket_core.process import look_after_processes, this_process
from websocket_core.process_tasks import process_task
from websocket_core.removal import keep_removing

log = logging.getLogger(__name__)


class Sweeper:
    """Sweeps every `SWEEP_SECONDS` as long as the process serves."""

    def __init__(self, runtime: RunRuntime) -> None:
        self._runtime = runtime
        self._task: asyncio.Task[None] | None = None
        self._remover: asyncio.Task[None] | None = None  # a task of its own: no sweep waits for it
        self._reap_from = 0.0  # time.monotonic(): leases that ran out before may be renewed again

    @property
    def started(self) -> bool:
        """Whether it sweeps."""
        return self._task is not None

    def start(self) -> None:
        """Begin, once per event loop."""
        if self._task is None:
            self._task = process_task(self._run(), "netra-sweeper")
            lifecycle.on_drain("sweeper", 15, self.stop)
            self._remover = process_task(keep_removing(conf.SWEEP_SECONDS), "netra-remover")
            lifecycle.on_drain("process", 90, _retire)

    async def stop(self) -> None:
        """End the tasks."""
        for task in (self._task, self._remover):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])

    async def _run(self) -> None:
        warned = False
        while True:
            try:
                await self.sweep()
                warned = False
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - waited out, the next sweep comes
                # While the database was away nobody could renew a lease: their holders get the time of one to do so.
                self._reap_from = time.monotonic() + conf.LEASE_SECONDS
                if not warned:
                    warned = True
                    log.warning("sweeper: %s: %s", type(error).__name__, error)
            await asyncio.sleep(conf.SWEEP_SECONDS)

    async def sweep(self) -> None:
        """Look once."""
        await look_after_processes()
        now = datetime.now(UTC)
        stale = await db.read(neglected_runs.stale_runs) if time.monotonic() >= self._reap_from else []
        for user_id, thread_id, run_pk, agent_type in stale:
            if get_runner().holds(run_pk):
                continue  # it lives, here: its lease is about to be renewed
            operation = ReapRun(user_id, thread_id, run_pk, retry=_retries(agent_type), executor=get_executor())
            if await get_journal().submit(operation):
                _note_end(agent_type, operation)
                log.warning("run %s: its worker was lost", run_pk)
                await self._runtime.proceed(user_id, thread_id)
        for user_id, thread_id, run_id, approval_id in await db.read(neglected_runs.expired_approvals, now):
            try:
                await self._runtime.decide(
                    user_id, thread_id, run_id, approval_id, approved=False, value=None, by="expired"
                )
            except ClientError:
                continue  # decided in this very moment
        if not is_draining():
            for user_id, thread_id in await db.read(neglected_runs.orphaned_threads, now):
                await self._runtime.proceed(user_id, thread_id)


def _note_end(agent_type: str, operation: ReapRun) -> None:
    event_type, data = operation.terminal
    ended(agent_type, str(TERMINAL_STATUS[event_type]), data.get("code", ""))
    with get_tracer().ending(event_type, operation.trace):
        pass  # it is over: the trace of the lost process's spans gets its end


async def _retire() -> None:
    await get_journal().flush()
    await db.writer.call(this_process.retire)


def _retries(agent_type: str) -> bool:
    try:
        return find(agent_type).on_loss == "retry"
    except UnknownAgentError:
        return False


_sweepers: WeakKeyDictionary[asyncio.AbstractEventLoop, Sweeper] = WeakKeyDictionary()


def get_sweeper(runtime: RunRuntime) -> Sweeper:
    """The sweeper of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _sweepers:
        _sweepers[loop] = Sweeper(runtime)
    return _sweepers[loop]

"""Looks after the runs of this process: renews leases, writes usage, and passes on stops and decisions."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable

from netra.agents.authoring.facts import Decision
from netra.agents.blocking.monitor import LoopMonitor
from netra.agents.conf import conf
from netra.agents.ledger import reading as run_reads
from netra.agents.ledger.statements import lease_end
from netra.agents.models import ACTIVE, Run
from netra.agents.running.held_run import HeldRun
from websocket_core.conf import conf as delivery_conf
from websocket_core.database import db
from websocket_core.process.background import Outage, repeat
from websocket_core.process.heartbeat import this_process
from websocket_core.process.tasks import process_task

log = logging.getLogger(__name__)


class Keeper:
    """Checks every `LOOK_SECONDS`, and whenever it is told to.

    Args:
        held: the runs, by primary key.
        active: whether there is still something to look after.
    """

    def __init__(self, held: dict[int, HeldRun], active: Callable[[], object]) -> None:
        self._held, self._active = held, active
        self._waiting: dict[tuple[str, str], asyncio.Future[Decision]] = {}  # (user, approval) -> the waiting body
        self._look_now = asyncio.Event()
        self._renewed = -math.inf  # time.monotonic() of the last renewal of leases
        self._leases_outage = Outage(log, "leases")
        self._task: asyncio.Task[None] | None = None
        self._monitor = LoopMonitor()

    def start(self) -> None:
        """Start unless it is already running. It ends by itself when nothing is left."""
        if self._task is None:
            self._task = process_task(self._keep(), "netra-runner")
            self._monitor.start(asyncio.get_running_loop())

    def look(self) -> None:
        """A stop or a decision may be new: check now."""
        self._look_now.set()

    async def wait_for_decision(self, owner_id: str, approval_id: str) -> Decision:
        """Wait until an approval is decided."""
        key = (owner_id, approval_id)
        future: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self._waiting[key] = future
        self.look()
        try:
            return await future
        finally:
            self._waiting.pop(key, None)

    async def _keep(self) -> None:
        try:
            await repeat(Outage(log, "runner"), self._look_after_runs, active=self._active)
        finally:
            self._task = None
            self._monitor.stop()

    async def _look_after_runs(self) -> None:
        try:
            async with asyncio.timeout(conf.LOOK_SECONDS):
                await self._look_now.wait()
        except TimeoutError:
            pass
        self._look_now.clear()
        with self._leases_outage.outlived():  # a failed renewal must not delay a stop
            await self._renew_leases()
        await self._pass_wishes_on()

    async def _renew_leases(self) -> None:
        asked = time.monotonic()
        if asked - self._renewed >= delivery_conf.HEARTBEAT_SECONDS:
            await db.write(_renew, list(self._held), this_process.process_id)
            self._renewed = asked  # set after success: after an outage, leases are renewed first
            await self._keep_usage()

    async def _keep_usage(self) -> None:
        """Write the usage that runs have reported since the last time, for whoever ends them if this process dies."""
        news = [(run_pk, held, usage) for run_pk, held in self._held.items() if (usage := held.usage())]
        news = [(run_pk, held, usage) for run_pk, held, usage in news if usage != held.kept_usage]
        if news:
            await db.write(_write_usage, {run_pk: usage for run_pk, _, usage in news}, this_process.process_id)
        for _, held, usage in news:
            held.kept_usage = usage

    async def _pass_wishes_on(self) -> None:
        # Runs may come and go during the query.
        asked = {run_pk: held.execution for run_pk, held in self._held.items() if held.execution is not None}
        found = await db.read(run_reads.wishes, list(asked)) if asked else {}
        for run_pk, execution in asked.items():
            wish = found.get(run_pk)
            if wish is None or wish.status not in ACTIVE or wish.worker_id != this_process.process_id:
                execution.stop("lost")  # ignored by a run that is already ending
            elif wish.stop:
                execution.stop("stopped", wish.reason)
        if self._waiting:
            for key, decision in (await db.read(run_reads.decisions, set(self._waiting))).items():
                future = self._waiting.get(key)
                if future is not None and not future.done():
                    self._note_resolved(key)
                    future.set_result(decision)

    def _note_resolved(self, key: tuple[str, str]) -> None:
        """Close the approval in the run's grammar. The decision itself has already written the event."""
        for held in self._held.values():
            if held.execution is not None and held.lease.owner_id == key[0]:
                held.execution.context.events.grammar.approvals.pop(key[1], None)


def _renew(run_pks: list[int], worker_id: str) -> None:
    held = Run.objects.filter(pk__in=run_pks, worker_id=worker_id, status__in=ACTIVE, resting=False)
    held.update(lease_until=lease_end())


def _write_usage(usage: dict[int, str], worker_id: str) -> None:
    for run_pk, text in usage.items():
        held = Run.objects.filter(pk=run_pk, worker_id=worker_id, status__in=ACTIVE, resting=False)
        held.update(usage=text)

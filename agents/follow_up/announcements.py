"""Sends signals and settles the ends of runs, in one thread of the process with a database connection of its own.

What waits is bounded. Past the bound the end of a run is left to the sweeper, which finds its mark; other signals are
dropped, and the log tells.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from typing import Any

from django.dispatch import Signal
from django.utils import timezone

from netra.agents.follow_up import marks
from netra.agents.follow_up.facts import approval_facts, described
from netra.agents.follow_up.signals import run_finished
from netra.agents.models import Approval, Run
from netra.agents.usage import Used, cost_of, has_prices, knows_prices
from websocket_core.database import db
from websocket_core.database.returning_threads import ReturningThreads
from websocket_core.process.lifecycle import lifecycle

log = logging.getLogger(__name__)

DRAIN_SECONDS = 5.0


class Announcer:
    """What this process has to send and to settle. Its methods may be called from any thread.

    Attributes:
        most: signals and ends that may wait.
    """

    most = 1000

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ReturningThreads | None = None
        self._waiting: set[Future[None]] = set()
        self._known: set[int] = set()  # the runs among them
        self._held: tuple[int, datetime] | None = None  # the run that is being settled, and its mark
        self._dropping = False

    def mark_of_end(self, now: datetime, used: Used) -> tuple[datetime | None, bool]:
        """For a run that ends: its mark (`None`: nothing follows), and whether receivers wait. Asked for every run."""
        signal_due = run_finished.has_listeners()
        return (marks.first(now) if signal_due or has_prices(used.text) else None), signal_due

    def tell(self, signal: Signal, run_pk: int, approval_pk: int | None = None) -> None:
        """Send a signal about a run; not again when this process dies."""
        if not self._submit(self._send, signal, run_pk, approval_pk) and not self._dropping:
            self._dropping = True
            log.warning("%d signals wait for their receivers; further ones are dropped until there is room", self.most)

    def settle(self, run_pk: int, mark: datetime) -> None:
        """See to what follows a run's end, as long as it has this mark."""
        with self._lock:
            if run_pk in self._known:
                return
            self._known.add(run_pk)
        if not self._submit(self._settle, run_pk, mark):
            self._known.discard(run_pk)

    async def look(self) -> None:
        """What a process that serves does now and then: hold on to what it has, and take over what nobody sees to."""
        held = self._held
        if held is not None:
            new = await db.write(marks.take, *held)
            with self._lock:
                if new is not None and self._held == held:
                    self._held = (held[0], new)
        signals = run_finished.has_listeners()
        if signals or knows_prices():
            for run_pk, mark in await db.read(marks.due, timezone.now(), signals):
                self.settle(run_pk, mark)

    async def drain(self) -> None:
        """Give what waits its time; what is left then is left to other processes."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while self._waiting and time.monotonic() < deadline:
            waiting = [asyncio.wrap_future(future) for future in list(self._waiting)]
            await asyncio.wait(waiting, timeout=max(0.0, deadline - time.monotonic()))
            for future in waiting:
                future.cancel()

    def close(self) -> None:
        """End the thread when it has done what it is at. It comes back when it is needed."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)
        self._waiting.clear()
        self._known.clear()
        self._dropping = False

    def _submit(self, function: Callable[..., None], *args: Any) -> bool:
        with self._lock:
            if len(self._waiting) >= self.most:
                return False
            if self._pool is None:
                self._pool = ReturningThreads(1, thread_name_prefix="netra-signals")
            future = self._pool.submit(_guarded, function, *args)
            self._waiting.add(future)
        future.add_done_callback(self._done)
        return True

    def _done(self, future: Future[None]) -> None:
        self._waiting.discard(future)
        self._dropping = self._dropping and bool(self._waiting)

    def _send(self, signal: Signal, run_pk: int, approval_pk: int | None) -> None:
        run = _load(run_pk)
        if run is None:  # deleted meanwhile
            return
        told: dict[str, Any] = {"run": described(run)}
        if approval_pk is not None:
            told["approval"] = approval_facts(Approval.objects.get(pk=approval_pk))
        signal.send_robust(None, **told)  # Django logs what receivers raise

    def _settle(self, run_pk: int, mark: datetime) -> None:
        try:
            new = db.write_now(marks.take, run_pk, mark)
            if new is None:
                return  # another process has it, or the run is gone
            self._held = (run_pk, new)
            self._follow_up(run_pk)
            db.write_now(marks.clear, run_pk)
        finally:
            with self._lock:
                self._held = None
                self._known.discard(run_pk)

    def _follow_up(self, run_pk: int) -> None:
        run = _load(run_pk)
        if run is None:
            return
        if run.cost is None:
            run.cost = cost_of(described(run))
            if run.cost is not None:
                db.write_now(marks.write_cost, run_pk, run.cost)
        if run.signal_due:
            try:
                run_finished.send_robust(None, run=described(run))
            except SystemExit:  # not for a receiver to decide; it was called, as one that raises
                log.exception("a receiver of run_finished wanted to end the process")


def _load(run_pk: int) -> Run | None:
    return Run.objects.select_related("thread").filter(pk=run_pk).first()


def _guarded(function: Callable[..., None], *args: Any) -> None:
    """An end that could not be settled keeps its mark, and is settled later."""
    try:
        function(*args)
    except Exception:
        log.exception("what follows a commit failed: %s", function.__name__)


announcer = Announcer()
lifecycle.on_end(announcer.close)

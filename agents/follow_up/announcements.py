"""Sends signals and handles ended runs, in one thread per process with its own database connection.

The queue is bounded. If it is full, ended runs are left to the sweeper, which finds their marks. Other signals are
dropped, with a warning in the log.
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
    """The queue of signals and ended runs of this process. Its methods may be called from any thread.

    Attributes:
        most: the maximum number of waiting signals and ended runs.
    """

    most = 1000

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ReturningThreads | None = None
        self._waiting: set[Future[None]] = set()
        self._known: set[int] = set()  # the ended runs among them
        self._held: tuple[int, datetime] | None = None  # the run that is being handled, and its mark
        self._dropping = False

    def mark_of_end(self, now: datetime, used: Used) -> tuple[datetime | None, bool]:
        """The mark of a run that ends (`None` for no follow-up), and whether `run_finished` is due.

        Called for every run.
        """
        signal_due = run_finished.has_listeners()
        return (marks.first(now) if signal_due or has_prices(used.text) else None), signal_due

    def tell(self, signal: Signal, run_pk: int, approval_pk: int | None = None) -> None:
        """Send a signal about a run. It is lost if this process dies first."""
        if not self._submit(self._send, signal, run_pk, approval_pk) and not self._dropping:
            self._dropping = True
            log.warning("%d signals wait for receivers; new ones are dropped until there is room", self.most)

    def settle(self, run_pk: int, mark: datetime) -> None:
        """Do the follow-up of an ended run, unless its mark has changed."""
        with self._lock:
            if run_pk in self._known:
                return
            self._known.add(run_pk)
        if not self._submit(self._settle, run_pk, mark):
            self._known.discard(run_pk)

    async def look(self) -> None:
        """Renew the mark of the run in hand, and take over due runs. A serving process calls it periodically."""
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
        """Wait up to `DRAIN_SECONDS` for the queue to empty. Other processes do what is left."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while self._waiting and time.monotonic() < deadline:
            waiting = [asyncio.wrap_future(future) for future in list(self._waiting)]
            await asyncio.wait(waiting, timeout=max(0.0, deadline - time.monotonic()))
            for future in waiting:
                future.cancel()

    def close(self) -> None:
        """End the thread after its current task. It is started again when it is needed."""
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
        if run is None:  # it was deleted in the meantime
            return
        told: dict[str, Any] = {"run": described(run)}
        if approval_pk is not None:
            told["approval"] = approval_facts(Approval.objects.get(pk=approval_pk))
        signal.send_robust(None, **told)  # Django logs what receivers raise

    def _settle(self, run_pk: int, mark: datetime) -> None:
        try:
            new = db.write_now(marks.take, run_pk, mark)
            if new is None:
                return  # another process has taken it, or the run was deleted
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
            except SystemExit:  # a receiver must not end the process; this counts as an error of the receiver
                log.exception("a receiver of run_finished raised SystemExit, which was ignored")


def _load(run_pk: int) -> Run | None:
    return Run.objects.select_related("thread").filter(pk=run_pk).first()


def _guarded(function: Callable[..., None], *args: Any) -> None:
    """Log errors of a follow-up. An ended run keeps its mark, so that its follow-up is tried again later."""
    try:
        function(*args)
    except db.ThreadsEnded:
        log.info("%s: not done, because this process is ending; a serving process does it", function.__name__)
    except Exception:
        log.exception("work after a commit failed: %s", function.__name__)


announcer = Announcer()
lifecycle.on_end(announcer.close)

"""Metrics of runs, for Prometheus.

Labels contain no ids: there would be too many, and they are private. Agents, states and codes are few.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

from prometheus_client import Counter, Gauge, Histogram

from netra.agents.ledger.open_runs import is_open
from netra.agents.models import OPEN, Run, RunStatus
from websocket_core.database import db
from websocket_core.process.background import Outage
from websocket_core.process.tasks import process_task

log = logging.getLogger(__name__)

SECONDS = (0.05, 0.1, 0.5, 1, 3, 10, 30, 60, 300, 1800, 3600)
ANSWER_SECONDS = 2.0  # time limit for the database; after it, the old values are served
MOST_COUNTED = 10_000  # the highest count of open runs of one state

run_starts = Counter(
    "netra_run_starts", "Requested starts, by outcome: started, existing, or the code of the refusal.", ["outcome"]
)
runs_executing = Gauge("netra_runs_executing", "Runs that this process executes at present.")
runs_ended = Counter(
    "netra_runs_ended", "Runs that this process ended, by agent, status and failure code.", ["agent", "status", "code"]
)
run_seconds = Histogram(
    "netra_run_seconds", "Seconds from a run's start to its terminal event.", ["agent"], buckets=SECONDS
)
run_wait_seconds = Histogram(
    "netra_run_wait_seconds", "Seconds from the recording of a run to its start in a process.", buckets=SECONDS
)
runs_open = Gauge(
    "netra_runs_open", "Open runs of the whole installation, by state. The same in every process.", ["state"]
)
oldest_queued = Gauge(
    "netra_oldest_queued_run_seconds",
    "Age of the whole installation's oldest queued run in seconds; 0: none is queued.",
)


class Numbers:
    """Metrics of the whole installation, which only the database has."""

    def __init__(self) -> None:
        self._outage = Outage(log, "counting open runs", "the metrics keep their old values")
        self._question: asyncio.Task[None] | None = None

    async def refresh(self) -> None:
        """Update the metrics, before Prometheus is answered.

        Metrics keep their old values if the database does not answer within `ANSWER_SECONDS`.
        """
        if self._question is None or self._question.done():
            # One query at a time: a database that does not answer must not block all reader threads.
            self._question = process_task(self._ask(), "netra-open-runs")
        await asyncio.wait({self._question}, timeout=ANSWER_SECONDS)

    async def _ask(self) -> None:
        with self._outage.outlived():
            _show(*await db.read(_open_runs))


def _show(counts: dict[str, int], oldest: datetime | None) -> None:
    for state, count in counts.items():
        runs_open.labels(state=state).set(count)
    age = 0.0 if oldest is None else (datetime.now(UTC) - oldest).total_seconds()
    oldest_queued.set(max(0.0, age))


def _open_runs() -> tuple[dict[str, int], datetime | None]:
    counts = {str(state): Run.objects.filter(is_open(state)).order_by()[:MOST_COUNTED].count() for state in OPEN}
    queued = Run.objects.filter(is_open(RunStatus.QUEUED)).order_by("pk")
    return counts, queued.values_list("created_at", flat=True).first()

"""What is counted of runs while they live, for Prometheus.

No ids in labels: they would be unbounded, and they are nobody's business. Agents, states and codes are few.
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
ANSWER_SECONDS = 2.0  # the database may take so long; then the numbers are told as they were
MOST_COUNTED = 10_000  # open runs of one state; past that the number stands still

run_starts = Counter(
    "netra_run_starts", "Starts asked for: started, existing, or the code of the refusal.", ["outcome"]
)
runs_executing = Gauge("netra_runs_executing", "Runs this process executes.")
runs_ended = Counter(
    "netra_runs_ended", "Runs this process ended, by last event and code of a failure.", ["agent", "status", "code"]
)
run_seconds = Histogram(
    "netra_run_seconds", "Seconds from a run's start to its last event.", ["agent"], buckets=SECONDS
)
run_wait_seconds = Histogram(
    "netra_run_wait_seconds", "Seconds from a run's record to its start in a process.", buckets=SECONDS
)
runs_open = Gauge(
    "netra_runs_open", "Open runs of the whole installation, by state. The same in every process.", ["state"]
)
oldest_queued = Gauge(
    "netra_oldest_queued_run_seconds", "Age of the oldest queued run of the whole installation; 0: none is queued."
)


class Numbers:
    """What only the database can tell: of the whole installation."""

    def __init__(self) -> None:
        self._outage = Outage(log, "counting open runs", "the numbers stay as they were")
        self._question: asyncio.Task[None] | None = None

    async def refresh(self) -> None:
        """Bring the numbers up to date, before Prometheus is answered. Those that the database does not tell within
        `ANSWER_SECONDS` stay as they were.
        """
        if self._question is None or self._question.done():
            # One at a time: a database that does not answer must not get all of its readers' threads to wait for it.
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

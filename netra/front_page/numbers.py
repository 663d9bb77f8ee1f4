"""The metrics on the front page. Every query is limited: it uses an index or reads only the newest rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Count, Max, QuerySet

from netra.agents.ledger.open_runs import is_open
from netra.agents.models import OPEN, Run, RunStatus
from netra.front_page.event_rate import per_bucket, sample
from websocket_core.auth.accounts import users_by_id
from websocket_core.conf import conf
from websocket_core.models import Connection, Process

HOUR = timedelta(hours=1)
MINUTES = 60
MOST_COUNTED = 10_000  # above that, the page shows "more than"
RECENT_RUNS = 1_000
SHOWN_CONNECTIONS = 12
SHOWN_FAILURES = 6
SHOWN_PROCESSES = 20
# Upper limits of the histogram's columns, in seconds, and their labels.
DURATIONS: Sequence[tuple[float, str]] = (
    (1, "< 1 s"),
    (3, "1–3 s"),
    (10, "3–10 s"),
    (30, "10–30 s"),
    (60, "30–60 s"),
    (300, "1–5 min"),
    (1800, "5–30 min"),
    (float("inf"), "> 30 min"),
)


class Counted(NamedTuple):
    """A count that stops at `MOST_COUNTED`."""

    number: int
    more: bool = False

    def __str__(self) -> str:
        return f"{self.number:,}{'+' if self.more else ''}"


class Column(NamedTuple):
    """Runs of similar duration, by how they ended."""

    label: str
    completed: int
    failed: int
    cancelled: int


@dataclass(slots=True, kw_only=True)
class Sockets:
    """Open connections."""

    live: Counted
    newest: list[Connection]


@dataclass(slots=True, kw_only=True)
class Runs:
    """Runs that are open, and the last ones that ended."""

    by_state: list[tuple[RunStatus, Counted]]
    oldest_queued: Run | None
    waited: float  # seconds since it was queued
    durations: list[Column]
    failures: list[Run]
    failed: int
    ended: int
    since: datetime  # how far back `failures`, `failed` and `ended` reach


@dataclass(slots=True, kw_only=True)
class Events:
    """The rate of written events, and the delivery latency of the slowest server."""

    per_minute: list[float] = field(default_factory=list)
    per_second: float = 0.0  # in the last minute
    delivery_p99: float | None = None  # seconds, of the last minute; None: nothing was delivered


@dataclass(slots=True, kw_only=True)
class Machine:
    """A process, with its numbers of connections and runs."""

    process: Process
    connections: int
    runs: int
    fresh: bool


def sockets() -> Sockets:
    """Open connections and the newest of them."""
    live = Connection.objects.filter(disconnected_at=None)
    newest: list[Any] = list(live.order_by("-connected_at")[:SHOWN_CONNECTIONS])
    _name(newest)
    processes = Process.objects.in_bulk({row.process_id for row in newest})
    for row in newest:
        row.server_process = processes.get(row.process_id)
    return Sockets(live=_count(live), newest=newest)


def runs(now: datetime) -> Runs:
    """Open runs by state, and how the newest runs ended."""
    by_state = [(status, _count(Run.objects.filter(is_open(status)))) for status in OPEN]
    oldest = Run.objects.filter(is_open(RunStatus.QUEUED)).order_by("pk").first()
    recent = list(
        Run.objects.order_by("-pk").only(
            *("owner_id", "run_id", "agent_type", "status", "code", "incident"),
            *("created_at", "started_at", "finished_at"),
        )[:RECENT_RUNS]
    )
    since = now - HOUR
    if len(recent) == RECENT_RUNS:
        since = max(since, recent[-1].created_at)
    ended = [run for run in recent if run.finished_at is not None and run.finished_at >= since]
    failures = sorted(
        (run for run in ended if run.status == RunStatus.FAILED), key=lambda run: run.finished_at or now, reverse=True
    )
    shown = failures[:SHOWN_FAILURES]
    _name(shown)
    return Runs(
        by_state=by_state,
        oldest_queued=oldest,
        waited=0.0 if oldest is None else (now - oldest.created_at).total_seconds(),
        durations=histogram(recent),
        failures=shown,
        failed=len(failures),
        ended=len(ended),
        since=since,
    )


def histogram(found: Sequence[Run]) -> list[Column]:
    """Runs by how long they took."""
    counts = [{RunStatus.COMPLETED: 0, RunStatus.FAILED: 0, RunStatus.CANCELLED: 0} for _ in DURATIONS]
    for run in found:
        if run.started_at is None or run.finished_at is None or run.status in OPEN:
            continue
        seconds = (run.finished_at - run.started_at).total_seconds()
        column = next(number for number, (end, _) in enumerate(DURATIONS) if seconds < end)
        counts[column][RunStatus(run.status)] += 1
    return [Column(label, *counts[number].values()) for number, (_, label) in enumerate(DURATIONS)]


def events(now: datetime) -> Events:
    """Events written in the last hour, minute by minute, and the current delivery latency."""
    minute = timedelta(minutes=1)
    start = now - MINUTES * minute
    per_minute = per_bucket(sample(start), start, minute, MINUTES)
    limit = now - timedelta(seconds=conf.PROCESS_TIMEOUT)
    alive = Process.objects.filter(heartbeat_at__gt=limit, stopped_at=None)
    return Events(
        per_minute=per_minute,
        per_second=per_minute[-1] / 60,
        delivery_p99=alive.aggregate(Max("delivery_p99"))["delivery_p99__max"],
    )


def machines(now: datetime) -> list[Machine]:
    """Servers and workers that have not ended, with a heartbeat in the last hour."""
    found = list(
        Process.objects.filter(heartbeat_at__gte=now - HOUR, stopped_at=None)
        .exclude(kind="command")
        .order_by("-heartbeat_at")[:SHOWN_PROCESSES]
    )
    names = [process.pk for process in found]
    open_sockets = Connection.objects.filter(disconnected_at=None, process_id__in=names)
    held = Run.objects.filter(is_open(), worker_id__in=names)
    by_process = dict(open_sockets.order_by().values_list("process_id").annotate(Count("pk")))
    by_worker = dict(held.order_by().values_list("worker_id").annotate(Count("pk")))
    limit = now - timedelta(seconds=conf.PROCESS_TIMEOUT)
    machines = [
        Machine(
            process=process,
            connections=by_process.get(process.pk, 0),
            runs=by_worker.get(process.pk, 0),
            fresh=process.heartbeat_at > limit,
        )
        for process in found
    ]
    return sorted(machines, key=lambda machine: (machine.process.kind, machine.process.started_at))


def _count(rows: QuerySet[Any]) -> Counted:
    number = rows.order_by()[: MOST_COUNTED + 1].count()
    return Counted(min(number, MOST_COUNTED), number > MOST_COUNTED)


def _name(rows: Sequence[Any]) -> None:
    whose = [row.owner_id if isinstance(row, Run) else row.user_id for row in rows]
    users = users_by_id(whose)
    for row, user_id in zip(rows, whose, strict=True):
        row.whose, row.account = user_id, users.get(user_id)

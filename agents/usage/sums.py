"""Adds up the usage of runs that ended within a period, by user, agent or day.

The queries read only the part of the index `run_usage` that belongs to the period.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, NamedTuple

from django.db.models import Count, F, QuerySet, Sum

from netra.agents.models import Run
from netra.agents.usage.costs import SMALLEST

FIELDS = {"user": "owner_id", "agent": "agent_type"}
WAYS = (*FIELDS, "day")
DAY = timedelta(days=1)
# `COUNT(*)`, because counting a column would read the table itself.
SUMS: dict[str, Any] = {
    "runs": Count("*"),
    "input": Sum("input_tokens"),
    "output": Sum("output_tokens"),
    "total": Sum("total_tokens"),
    "costs": Sum("cost"),
}


class UsageSum(NamedTuple):
    """The usage of all runs of one user, agent or day (UTC). `cost` is `None` if no run has a cost."""

    key: str
    runs: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cost: Decimal | None


def ended_within(since: datetime, until: datetime) -> QuerySet[Run]:
    """Runs that ended at or after `since` and before `until`."""
    return Run.objects.filter(finished_at__gte=since, finished_at__lt=until)


def by(way: str, since: datetime, until: datetime, most: int | None = None) -> Iterator[UsageSum]:
    """The sums by `user` or `agent`, sorted by cost and then tokens, largest first; or by `day`, oldest first.

    Args:
        most: the maximum number of sums by user or agent.
    """
    if way == "day":
        yield from _by_day(since, until)
        return
    rows = ended_within(since, until).order_by().values_list(FIELDS[way]).annotate(**SUMS)
    rows = rows.order_by(F("costs").desc(nulls_last=True), F("total").desc(), FIELDS[way])
    for row in rows if most is None else rows[:most]:
        yield _sum(*row)


def _by_day(since: datetime, until: datetime) -> Iterator[UsageSum]:
    """One query per day with runs, so that the database finds each day in the index and formats no dates."""
    start = since
    while start < until:
        first = ended_within(start, until).order_by("finished_at").values_list("finished_at", flat=True).first()
        if first is None:
            return
        day = first.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        found = ended_within(max(since, day), min(until, day + DAY)).aggregate(**SUMS)
        yield _sum(day.date().isoformat(), *(found[name] for name in SUMS))
        start = day + DAY


def _sum(key: str, runs: int, given: int, taken: int, total: int, cost: Any) -> UsageSum:
    # SQLite uses floating point for sums.
    exact = None if cost is None else Decimal(cost).quantize(SMALLEST, ROUND_HALF_EVEN)
    return UsageSum(key, runs, given or 0, taken or 0, total or 0, exact)

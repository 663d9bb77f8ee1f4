"""Sums of usage by user, agent or day, of runs that ended within a time.

All of them read the index `run_usage` alone, from the first to the last moment that is asked for.
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
# `COUNT(*)`: a count of a column would read the runs themselves.
SUMS: dict[str, Any] = {
    "runs": Count("*"),
    "input": Sum("input_tokens"),
    "output": Sum("output_tokens"),
    "total": Sum("total_tokens"),
    "costs": Sum("cost"),
}


class UsageSum(NamedTuple):
    """What the runs of one user, agent or day (UTC) used together; `cost` is `None` where none of them has one."""

    key: str
    runs: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cost: Decimal | None


def ended_within(since: datetime, until: datetime) -> QuerySet[Run]:
    """Runs that ended from `since` on, before `until`."""
    return Run.objects.filter(finished_at__gte=since, finished_at__lt=until)


def by(way: str, since: datetime, until: datetime, most: int | None = None) -> Iterator[UsageSum]:
    """The sums by `user` or `agent`, those with the largest cost first, then by tokens; by `day`, oldest first.

    Args:
        most: so many at most.
    """
    if way == "day":
        yield from _by_day(since, until)
        return
    rows = ended_within(since, until).order_by().values_list(FIELDS[way]).annotate(**SUMS)
    rows = rows.order_by(F("costs").desc(nulls_last=True), F("total").desc(), FIELDS[way])
    for row in rows if most is None else rows[:most]:
        yield _sum(*row)


def _by_day(since: datetime, until: datetime) -> Iterator[UsageSum]:
    """A question for each day with runs: the database finds the days' limits in the index, and formats no date."""
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
    # SQLite adds in floating point.
    exact = None if cost is None else Decimal(cost).quantize(SMALLEST, ROUND_HALF_EVEN)
    return UsageSum(key, runs, given or 0, taken or 0, total or 0, exact)

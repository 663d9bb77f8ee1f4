"""The mark of an ended run whose follow-up is not done, and how a process takes that run over.

The statement that ends a run writes `follow_up_at`, if there is a follow-up. The time is in the future while a process
works on it. Once it has passed, any process may take the run over, so nothing is left undone when a process dies. A
process takes a run over by replacing the time it found with a new one, so only one process succeeds.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from django.utils import timezone

from netra.agents.conf import conf
from netra.agents.models import Run

AT_ONCE = 100  # runs per query


def first(now: datetime) -> datetime:
    """The mark of a run that ends now. The process that ends it may work on it first."""
    return now + timedelta(seconds=conf.LEASE_SECONDS)


def due(now: datetime, signals: bool) -> list[tuple[int, datetime]]:
    """`(pk, mark)` of runs that no process works on.

    Args:
        signals: whether this process has receivers. Without them, runs with a due signal are left to other processes.
    """
    found = Run.objects.filter(follow_up_at__lte=now)
    found = found if signals else found.filter(signal_due=False)
    return list(found.order_by("follow_up_at").values_list("pk", "follow_up_at")[:AT_ONCE])  # type: ignore[arg-type]


def take(run_pk: int, mark: datetime) -> datetime | None:
    """Replace the run's mark and return the new one, or `None` if the run has a different mark by now."""
    new = first(timezone.now())
    return new if Run.objects.filter(pk=run_pk, follow_up_at=mark).update(follow_up_at=new) else None


def write_cost(run_pk: int, cost: Decimal) -> None:
    """Store the cost of a run."""
    Run.objects.filter(pk=run_pk).update(cost=cost)


def clear(run_pk: int) -> None:
    """Remove the mark: the follow-up is done."""
    Run.objects.filter(pk=run_pk).update(follow_up_at=None, signal_due=False)

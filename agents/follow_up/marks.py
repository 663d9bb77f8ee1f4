"""The mark on a run whose end has something left to do, and who does it.

`follow_up_at` is written in the statement that ends the run, and only where something follows. It is in the future
while somebody is at it; from then on any process may take it over, so nothing is left undone when a process dies.
Whoever takes it writes a new time in place of the one that was found, so one alone succeeds.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from django.utils import timezone

from netra.agents.conf import conf
from netra.agents.models import Run

AT_ONCE = 100  # that one look finds


def first(now: datetime) -> datetime:
    """The mark of a run that ends now: the process that ends it comes first."""
    return now + timedelta(seconds=conf.LEASE_SECONDS)


def due(now: datetime, signals: bool) -> list[tuple[int, datetime]]:
    """`(pk, mark)` of runs that nobody sees to.

    Args:
        signals: whether this process has receivers; without them it leaves alone what others have to be told of.
    """
    found = Run.objects.filter(follow_up_at__lte=now)
    found = found if signals else found.filter(signal_due=False)
    return list(found.order_by("follow_up_at").values_list("pk", "follow_up_at")[:AT_ONCE])  # type: ignore[arg-type]


def take(run_pk: int, mark: datetime) -> datetime | None:
    """The new mark, if the run still has this one."""
    new = first(timezone.now())
    return new if Run.objects.filter(pk=run_pk, follow_up_at=mark).update(follow_up_at=new) else None


def write_cost(run_pk: int, cost: Decimal) -> None:
    """Keep what a run cost."""
    Run.objects.filter(pk=run_pk).update(cost=cost)


def clear(run_pk: int) -> None:
    """Everything is done."""
    Run.objects.filter(pk=run_pk).update(follow_up_at=None, signal_due=False)

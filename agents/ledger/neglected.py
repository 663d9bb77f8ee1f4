"""Runs that nobody looks after: their worker is gone, nobody came for them, or nobody answered in time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from netra.agents.conf import conf
from netra.agents.ledger.open_runs import is_open
from netra.agents.models import ACTIVE, Run, RunStatus


def stale_runs() -> list[tuple[str, str, int, str]]:
    """`(owner_id, thread_id, pk, agent_type)` of runs whose lease ran out, by the clock that it was taken by."""
    rows = Run.objects.filter(is_open(), status__in=ACTIVE, lease_until__lt=Now())
    return list(rows.values_list("owner_id", "thread__thread_id", "pk", "agent_type")[:200])


def orphaned_threads(now: Any) -> list[tuple[str, str]]:
    """Threads with something to do and nobody who does it.

    Queued runs behind nothing, resting runs with every decision.
    """
    before = now - timedelta(seconds=2 * conf.SWEEP_SECONDS)
    free = {"thread__active_run_id": None, "thread__updated_at__lt": before}
    queued = Run.objects.filter(is_open(RunStatus.QUEUED), created_at__lt=before, **free)
    return sorted({*queued.values_list("owner_id", "thread__thread_id")[:200], *decided_threads()})


def unclaimed_threads() -> list[tuple[str, str]]:
    """Threads whose place is free and in which a run is queued."""
    rows = Run.objects.filter(is_open(RunStatus.QUEUED), thread__active_run_id=None)
    return list(set(rows.values_list("owner_id", "thread__thread_id")[:100]))


def decided_threads() -> list[tuple[str, str]]:
    """Threads with a resting run that has every decision."""
    rows = Run.objects.filter(is_open(RunStatus.WAITING), resting=True).exclude(approvals__decision=None)
    return list(rows.values_list("owner_id", "thread__thread_id")[:200])


def expired_approvals(now: Any) -> list[tuple[str, str, str, str]]:
    """`(owner_id, thread_id, run_id, approval_id)` of approvals nobody decided in time."""
    # From the runs that wait, which are few; approvals that were decided in time are expired, too, later.
    rows = Run.objects.filter(is_open(RunStatus.WAITING), approvals__expires_at__lte=now, approvals__decision=None)
    return list(rows.values_list("owner_id", "thread__thread_id", "run_id", "approvals__approval_id")[:200])

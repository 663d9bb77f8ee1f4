"""Finds runs that need attention: their worker is gone, no process has claimed them, or nobody answered in time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from netra.agents.conf import conf
from netra.agents.ledger.open_runs import is_open
from netra.agents.models import ACTIVE, Run, RunStatus


def stale_runs() -> list[tuple[str, str, int, str]]:
    """`(owner_id, thread_id, pk, agent_type)` of runs with an expired lease, by the database's clock."""
    rows = Run.objects.filter(is_open(), status__in=ACTIVE, lease_until__lt=Now())
    return list(rows.values_list("owner_id", "thread__thread_id", "pk", "agent_type")[:200])


def orphaned_threads(now: Any) -> list[tuple[str, str]]:
    """Threads with runs that no process executes: queued ones in a free thread, and resting ones with all decisions."""
    before = now - timedelta(seconds=2 * conf.SWEEP_SECONDS)
    free = {"thread__active_run_id": None, "thread__updated_at__lt": before}
    queued = Run.objects.filter(is_open(RunStatus.QUEUED), created_at__lt=before, **free)
    return sorted({*queued.values_list("owner_id", "thread__thread_id")[:200], *decided_threads()})


def unclaimed_threads() -> list[tuple[str, str]]:
    """Threads that are free and have a queued run."""
    rows = Run.objects.filter(is_open(RunStatus.QUEUED), thread__active_run_id=None)
    return list(set(rows.values_list("owner_id", "thread__thread_id")[:100]))


def decided_threads() -> list[tuple[str, str]]:
    """Threads with a resting run that has every decision."""
    rows = Run.objects.filter(is_open(RunStatus.WAITING), resting=True).exclude(approvals__decision=None)
    return list(rows.values_list("owner_id", "thread__thread_id")[:200])


def expired_approvals(now: Any) -> list[tuple[str, str, str, str]]:
    """`(owner_id, thread_id, run_id, approval_id)` of approvals that nobody decided in time."""
    # Begin with the waiting runs, which are few. Approvals that were decided in time also expire later.
    rows = Run.objects.filter(is_open(RunStatus.WAITING), approvals__expires_at__lte=now, approvals__decision=None)
    return list(rows.values_list("owner_id", "thread__thread_id", "run_id", "approvals__approval_id")[:200])

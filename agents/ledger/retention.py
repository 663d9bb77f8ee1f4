"""Retention of runs: a run is deleted with its approvals once its events are gone. Empty threads are hidden."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Exists, F, OuterRef, QuerySet, Sum, Value
from django.db.models.functions import Concat, Greatest
from django.utils import timezone

from netra.agents.ledger.leases import rest_key
from netra.agents.models import OPEN, Memory, Run
from websocket_core.models import NOBODY, Thread
from websocket_core.retention.pruning import Kind, StoredBytes, register


def runs(before: datetime, ahead: bool) -> QuerySet[Any]:
    """Runs that ended before a time and whose events are gone."""
    found = Run.objects.filter(created_at__lt=before, finished_at__lt=before, thread__active_run_id=None)
    return found if ahead else found.filter(last_seq__lt=F("thread__first_seq"))


def _drop_runs(pks: Sequence[Any], before: datetime) -> None:
    page = Run.objects.filter(pk__in=pks)
    size = Sum(StoredBytes("input") + StoredBytes("result"))
    freed = dict(page.values("thread").annotate(size=size).order_by().values_list("thread", "size"))
    list(Thread.objects.select_for_update().filter(pk__in=freed).order_by("pk").values_list("pk"))
    for thread_pk in sorted(freed):
        Thread.objects.filter(pk=thread_pk).update(bytes=Greatest(F("bytes") - freed[thread_pk], 0))
    page.only("pk").delete()


def rested(before: datetime, ahead: bool) -> QuerySet[Any]:
    """Memories of runs that rested and are over."""
    waiting = Run.objects.filter(thread=OuterRef("thread"), status__in=OPEN).annotate(
        place=Concat(Value(rest_key("")), "run_id")
    )
    found = Memory.objects.filter(updated_at__lt=before, key__startswith=rest_key(""))
    return found.exclude(Exists(waiting.filter(place=OuterRef("key"))))


def empty_threads(before: datetime, ahead: bool) -> QuerySet[Any]:
    """Threads without any content, and without activity since a time."""
    found = Thread.objects.filter(updated_at__lt=before, active_run_id=None, deleted_at=None).exclude(owner_id=NOBODY)
    if ahead:
        return found.exclude(Exists(Run.objects.filter(thread=OuterRef("pk"), status__in=OPEN)))
    return found.filter(first_seq__gt=F("last_seq")).exclude(Exists(Run.objects.filter(thread=OuterRef("pk"))))


def _drop_threads(pks: Sequence[Any], before: datetime) -> None:
    """Treat empty threads as if their users had deleted them.

    A row without a single event is deleted. Any other row is kept and continues the numbering, because `(thread_id,
    seq)` identifies an event for ever.
    """
    list(Thread.objects.select_for_update().filter(pk__in=pks).order_by("pk").values_list("pk"))
    due = list(empty_threads(before, ahead=False).filter(pk__in=pks).values_list("pk", "last_seq"))  # locked now
    Memory.objects.filter(thread__in=[pk for pk, _ in due]).only("pk").delete()
    Thread.objects.filter(pk__in=[pk for pk, last_seq in due if not last_seq]).delete()
    Thread.objects.filter(pk__in=[pk for pk, last_seq in due if last_seq]).update(
        deleted_at=timezone.now(), title="", bytes=0
    )


def install() -> None:
    """Register the rows of runs with retention."""
    register(Kind("runs", runs, _drop_runs))
    register(Kind("memories of runs that rested", rested))
    register(Kind("empty threads", empty_threads, _drop_threads))

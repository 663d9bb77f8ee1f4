"""Retention.

Events older than it are deleted, thread by thread; a cursor behind what is left is answered `cursor_expired`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from websocket_core.models import Connection, Event, JournalCommit, Thread, Ticket

PAGE = 5000  # events looked at with one query
JOURNAL_IDLE = timedelta(days=1)  # longer than any commit takes that is answered at all


def prune_events(before: datetime) -> Iterator[int]:
    """Delete events from before a moment, oldest first; yields how many were deleted, thread by thread.

    The events of a thread whose run is active stay: what is open in it must be found if its worker dies. A thread's
    deletion and
    its new `first_seq` are one transaction, so no reader sees a gap.
    """
    for thread_pk, last_seq in _last_old_seq(before).items():
        with transaction.atomic():
            thread = Thread.objects.select_for_update().filter(pk=thread_pk, active_run_id=None).first()
            if thread is None:
                continue
            deleted, _ = Event.objects.filter(thread_id=thread_pk, seq__lte=last_seq).delete()
            Thread.objects.filter(pk=thread_pk, first_seq__lte=last_seq).update(first_seq=last_seq + 1)
        yield deleted


def _last_old_seq(before: datetime) -> dict[int, int]:
    """The newest old event of each thread.

    Primary keys grow with time, so the scan ends at the first page of newer ones.
    """
    found: dict[int, int] = {}
    position = 0
    while True:
        rows = (
            Event.objects.filter(pk__gt=position)
            .order_by("pk")
            .values_list("pk", "thread_id", "seq", "created_at")[:PAGE]
        )
        page = list(rows)
        for _, thread_pk, seq, created_at in page:
            if created_at < before:
                found[thread_pk] = max(seq, found.get(thread_pk, 0))
        if len(page) < PAGE or page[-1][3] >= before:
            return found
        position = page[-1][0]


def prune_rest(before: datetime) -> int:
    """Delete rows of connections that ended before a moment, expired tickets, and what journals that have ended left.

    Returns how many.
    """
    connections, _ = Connection.objects.filter(disconnected_at__lt=before).delete()
    tickets, _ = Ticket.objects.filter(expires_at__lt=before).delete()
    # A journal that is idle makes its row anew; one whose commit is not answered yet must find it.
    idle = min(before, timezone.now() - JOURNAL_IDLE)
    commits, _ = JournalCommit.objects.filter(committed_at__lt=idle).delete()
    return connections + tickets + commits

"""Retention: deletes rows older than the retention period, page by page, while traffic continues.

A cursor that points before the oldest remaining event is answered with `cursor_expired` (wire-protocol.md, "Delivery
promise"). Other applications call `register` for their own rows. Kinds are pruned in the order of registration, so a
kind that depends on others being gone comes after them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import BigIntegerField, F, Func, Q, QuerySet, Sum
from django.db.models.functions import Greatest
from django.utils import timezone

from websocket_core.database.db import OUTAGE
from websocket_core.database.home import atomic
from websocket_core.models import (
    AccessToken,
    Connection,
    Event,
    JournalCommit,
    OwnerDay,
    Process,
    Thread,
    Ticket,
)
from websocket_core.retention.removal import PAGE, PAUSE

log = logging.getLogger(__name__)

SCAN = 5000  # events read with one query
JOURNAL_IDLE = timedelta(days=1)  # longer than any commit can take


class StoredBytes(Func):
    """Number of bytes of a text column."""

    function = "OCTET_LENGTH"
    output_field = BigIntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **more: Any) -> Any:
        """Older versions of SQLite lack `OCTET_LENGTH`."""
        return self.as_sql(compiler, connection, template="LENGTH(CAST(%(expressions)s AS BLOB))", **more)


@dataclass(frozen=True)
class OldEvents:
    """The result of a scan: the newest old event of each thread, and the number of old events."""

    last_seq: dict[int, int]
    count: int


@dataclass(frozen=True)
class Kind:
    """A kind of row that is kept as long as events are.

    Attributes:
        name: a plural for people to read.
        rows: returns the rows from before a time. If the second argument is true, they include rows that can be deleted
            only once the old events are gone.
        drop: deletes those rows of a page that are still due. It is called inside a transaction.
    """

    name: str
    rows: Callable[[datetime, bool], QuerySet[Any]]
    drop: Callable[[Sequence[Any], datetime], None] | None = None


_kinds: list[Kind] = []


def register(kind: Kind) -> None:
    """Add a kind of row to retention."""
    if all(kind.name != known.name for known in _kinds):
        _kinds.append(kind)


def kinds() -> list[Kind]:
    """Every kind of row, other than events, that expires."""
    return [*_OWN, *_kinds]


def old_events(before: datetime) -> OldEvents:
    """The events from before a time, of threads without an active run.

    Primary keys grow with time, so the scan ends at the first page of newer events.
    """
    found: dict[int, int] = {}
    counts: dict[int, int] = {}
    position = 0
    while True:
        rows = (
            Event.objects.filter(pk__gt=position)
            .order_by("pk")
            .values_list("pk", "thread_id", "seq", "created_at")[:SCAN]
        )
        page = list(rows)
        for _, thread_pk, seq, created_at in page:
            if created_at < before:
                found[thread_pk] = max(seq, found.get(thread_pk, 0))
                counts[thread_pk] = counts.get(thread_pk, 0) + 1
        if len(page) < SCAN or page[-1][3] >= before:
            break
        position = page[-1][0]
    for thread_pk in Thread.objects.exclude(active_run_id=None).values_list("pk", flat=True):
        found.pop(thread_pk, None)
        counts.pop(thread_pk, None)
    return OldEvents(found, sum(counts.values()))


def prune_events(before: datetime, old: OldEvents | None = None) -> Iterator[int]:
    """Delete the events from before a time, oldest first. Yields the number of deleted events after each page.

    Events of a thread with an active run are kept: if the worker dies, the run's open tools and approvals must be
    found.
    A page's deletion and the thread's new `first_seq` are one transaction. Readers therefore see no gap, and events
    wait for one page at most.
    """
    for thread_pk, last_seq in (old or old_events(before)).last_seq.items():
        while deleted := _prune_page(thread_pk, last_seq):
            yield deleted
            if deleted == PAGE:
                time.sleep(PAUSE)


def _prune_page(thread_pk: int, last_seq: int) -> int:
    with atomic():
        thread = Thread.objects.select_for_update().filter(pk=thread_pk, active_run_id=None).first()
        if thread is None:
            return 0
        rows = Event.objects.filter(thread_id=thread_pk, seq__lte=last_seq).order_by("seq")
        page = list(rows.values_list("seq", flat=True)[:PAGE])
        if not page:
            return 0
        end = page[-1]
        due = Event.objects.filter(thread_id=thread_pk, seq__lte=end)
        freed = due.aggregate(total=Sum(StoredBytes("frame")))["total"]
        due.delete()
        Thread.objects.filter(pk=thread_pk).update(
            first_seq=Greatest(F("first_seq"), end + 1), bytes=Greatest(F("bytes") - freed, 0)
        )
    return len(page)


def prune_kind(kind: Kind, before: datetime) -> Iterator[int]:
    """Delete the due rows of a kind, page by page. Yields the number of rows deleted from each page.

    A row that cannot be deleted, for example because another application protects it, is logged and skipped.
    """
    due = kind.rows(before, False).order_by("pk")
    page = list(due.values_list("pk", flat=True)[:PAGE])
    while page:
        yield _drop(kind, page, before)
        time.sleep(PAUSE)
        page = list(due.filter(pk__gt=page[-1]).values_list("pk", flat=True)[:PAGE])


def _drop(kind: Kind, pks: Sequence[Any], before: datetime) -> int:
    """Delete rows of a kind in one transaction. If that fails, delete each half in a transaction of its own."""
    try:
        with atomic():
            if kind.drop is None:
                kind.rows(before, False).model._base_manager.filter(pk__in=pks).delete()
            else:
                kind.drop(pks, before)
    except OUTAGE:
        raise
    except Exception:
        if len(pks) > 1:
            middle = len(pks) // 2
            return _drop(kind, pks[:middle], before) + _drop(kind, pks[middle:], before)
        log.exception("%s: row %s cannot be deleted; it is skipped", kind.name, pks[0])
        return 0
    return len(pks)


def _commits(before: datetime, ahead: bool) -> QuerySet[Any]:
    # An idle journal creates its row again. A journal whose commit is still unanswered must find its row.
    return JournalCommit.objects.filter(committed_at__lt=min(before, timezone.now() - JOURNAL_IDLE))


def _days(before: datetime, ahead: bool) -> QuerySet[Any]:
    # Yesterday is kept, because the clock of a process may be behind.
    return OwnerDay.objects.filter(day__lt=min(before, timezone.now() - timedelta(days=1)).toordinal())


_OWN = (
    Kind("connections", lambda before, ahead: Connection.objects.filter(disconnected_at__lt=before)),
    # Only without connections: deleting a process would delete its connections.
    Kind("processes", lambda before, ahead: Process.objects.filter(stopped_at__lt=before, connections=None)),
    Kind("tickets", lambda before, ahead: Ticket.objects.filter(expires_at__lt=before)),
    Kind(
        "ended tokens",
        lambda before, ahead: AccessToken.objects.filter(Q(expires_at__lt=before) | Q(revoked_at__lt=before)),
    ),
    Kind("journals that ended", _commits),
    Kind("days of users", _days),
)

"""Deletes a thread: takes it from its user in one short transaction, then deletes its contents in pages.

The old row keeps everything that points to it, but no longer belongs to a user, so a query by user and thread name
finds nothing of it. A new row takes over the name and continues the numbering, because `(thread_id, seq)` identifies an
event for ever. If a process dies between two pages, the next process to look continues the work.
"""

from __future__ import annotations

import asyncio
import logging
import time

from django.utils import timezone

from websocket_core.database import db
from websocket_core.database.home import atomic, connection
from websocket_core.models import NOBODY, Thread
from websocket_core.process.background import ForEach, Outage, repeat

log = logging.getLogger(__name__)

PAGE = 500  # rows that one transaction deletes
AT_ONCE = 1000  # deleted threads that one query returns
PAUSE = 0.01  # seconds between two pages, so that others can use the database

_each = ForEach(log, "removing the deleted thread")


def take_away(thread: Thread) -> None:
    """Take a thread from its user. Must be called in a transaction, with the thread's row locked and no run open."""
    owner_id, thread_id, now = thread.owner_id, thread.thread_id, timezone.now()
    # The slash keeps users' threads out of the way: their names cannot contain one.
    Thread.objects.filter(pk=thread.pk).update(owner_id=NOBODY, thread_id=f"deleted/{thread.pk}", deleted_at=now)
    thread.pk, thread._state.adding = None, True
    thread.owner_id, thread.thread_id, thread.title = owner_id, thread_id, ""
    thread.first_seq, thread.deleted_at = thread.last_seq + 1, now
    thread.save(force_insert=True)


def deleted_threads(after: int = 0) -> list[int]:
    """Primary keys of deleted threads that still have rows, in order, at most `AT_ONCE`.

    Args:
        after: return only greater keys.
    """
    rows = Thread.objects.filter(owner_id=NOBODY, pk__gt=after)
    return list(rows.order_by("pk").values_list("pk", flat=True)[:AT_ONCE])


def remove_page(thread_pk: int) -> bool:
    """Delete one page of a deleted thread's rows. Returns whether there may be more."""
    with atomic():
        # Rows locked by another process are skipped, so that several processes each take a different thread.
        threads = Thread.objects.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
        thread = threads.filter(pk=thread_pk, owner_id=NOBODY).first()
        if thread is None:
            return False
        for relation in Thread._meta.related_objects:  # events, and rows of other applications
            rows = relation.related_model._base_manager.filter(**{relation.field.name: thread})
            if page := list(rows.values_list("pk", flat=True)[:PAGE]):
                rows.filter(pk__in=page).only("pk").delete()
                return True
        thread.delete()
    return False


async def remove_deleted(seconds: float = float("inf")) -> None:
    """Empty deleted threads, page by page, for about `seconds` at most.

    A thread that cannot be removed, for example because another application protects it, is logged once and skipped.

    Raises:
        OperationalError, InterfaceError: the database is unavailable.
    """
    end = time.monotonic() + seconds

    async def remove(thread_pk: int) -> None:
        while time.monotonic() < end and await db.write(remove_page, thread_pk):  # noqa: ASYNC110 - a pause
            await asyncio.sleep(PAUSE)

    last = 0
    while time.monotonic() < end and (found := await db.read(deleted_threads, last)):
        await _each.take(found, remove)
        last = found[-1]


async def keep_removing(seconds: float) -> None:
    """Remove deleted threads for ever, with a pause of `seconds` after each pass."""

    async def look() -> None:
        await remove_deleted()
        await asyncio.sleep(seconds)

    await repeat(Outage(log, "removal of deleted threads"), look)

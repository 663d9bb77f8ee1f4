"""How a thread is deleted: taken from its user in one short transaction, emptied in pages afterwards.

The old row keeps everything that points to it and belongs to nobody any more, so whatever asks by user and name finds
nothing of it. A new row has the name and goes on counting, since `(thread_id, seq)` names an event for ever. Whoever
empties the old one may die between two pages: the next process that looks goes on.
"""

from __future__ import annotations

import asyncio
import logging
import time

from django.db import connection, transaction
from django.utils import timezone

from websocket_core.database import db
from websocket_core.models import NOBODY, Thread
from websocket_core.process.background import ForEach, Outage, repeat

log = logging.getLogger(__name__)

PAGE = 500  # rows that one transaction deletes
AT_ONCE = 1000  # deleted threads that one question finds
PAUSE = 0.01  # seconds between two pages, so that those who wait for the database have their turn

_each = ForEach(log, "removing the deleted thread")


def take_away(thread: Thread) -> None:
    """Take a thread from its user. Call it in a transaction, with the thread's row locked and no run of it open."""
    owner_id, thread_id, now = thread.owner_id, thread.thread_id, timezone.now()
    # A slash: no user's thread can have such a name.
    Thread.objects.filter(pk=thread.pk).update(owner_id=NOBODY, thread_id=f"deleted/{thread.pk}", deleted_at=now)
    thread.pk, thread._state.adding = None, True
    thread.owner_id, thread.thread_id, thread.title = owner_id, thread_id, ""
    thread.first_seq, thread.deleted_at = thread.last_seq + 1, now
    thread.save(force_insert=True)


def deleted_threads(after: int = 0) -> list[int]:
    """Primary keys of deleted threads that still have rows, in order, `AT_ONCE` of them at most.

    Args:
        after: only those with a greater key.
    """
    rows = Thread.objects.filter(owner_id=NOBODY, pk__gt=after)
    return list(rows.order_by("pk").values_list("pk", flat=True)[:AT_ONCE])


def remove_page(thread_pk: int) -> bool:
    """Delete a page of what a deleted thread has left; returns whether there may be more."""
    with transaction.atomic():
        # Locked: processes that do this at the same time take a thread each.
        threads = Thread.objects.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
        thread = threads.filter(pk=thread_pk, owner_id=NOBODY).first()
        if thread is None:
            return False
        for relation in Thread._meta.related_objects:  # events, and whatever other applications keep of a thread
            rows = relation.related_model._base_manager.filter(**{relation.field.name: thread})
            if page := list(rows.values_list("pk", flat=True)[:PAGE]):
                rows.filter(pk__in=page).only("pk").delete()
                return True
        thread.delete()
    return False


async def remove_deleted(seconds: float = float("inf")) -> None:
    """Empty deleted threads, page by page, for about so long at most.

    A thread that cannot be removed (another application protects something of it) is logged once and passed over.

    Raises:
        OperationalError, InterfaceError: the database is away.
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
    """Look for deleted threads again and again, with so many seconds between."""

    async def look() -> None:
        await remove_deleted()
        await asyncio.sleep(seconds)

    await repeat(Outage(log, "removal of deleted threads"), look)

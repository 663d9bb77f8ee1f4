"""How many connections a user had when a new one came, over all processes.

Counted in the transaction that writes the new rows, one process after the other for each user: of any number of
connections that come at once, to however many servers, exactly those beyond the limit are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256

from django.db.models import Count
from django.utils import timezone

from websocket_core.conf import conf
from websocket_core.database.home import connection
from websocket_core.models import Connection

LOCKS = 0x6E657472  # the family of our advisory locks
BUCKETS = 64  # users share so many of them: a burst of connections may not fill the database's table of locks


def earlier_connections(opened: Sequence[Connection]) -> dict[str, int]:
    """For each of these rows, just written by this transaction, the user's live connections that were there before.

    Those of a process without heartbeat do not count. The last thing the transaction does: what it locks here stays
    locked until its end.
    """
    users = {row.user_id for row in opened}
    _lock(users)
    alive = timezone.now() - timedelta(seconds=conf.PROCESS_TIMEOUT)
    live = Connection.objects.filter(user_id__in=users, disconnected_at=None, process__heartbeat_at__gt=alive)
    others = live.exclude(pk__in=[row.pk for row in opened]).values_list("user_id").annotate(Count("pk"))
    counts = dict(others.order_by())
    earlier: dict[str, int] = {}
    for row in opened:
        earlier[row.pk] = counts.get(row.user_id, 0)
        counts[row.user_id] = earlier[row.pk] + 1
    return earlier


def _lock(users: set[str]) -> None:
    if connection.vendor != "postgresql":
        return  # SQLite has one writer at a time
    buckets = sorted({sha256(user_id.encode()).digest()[0] % BUCKETS for user_id in users})
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(%s, bucket) FROM (SELECT unnest(%s::int[]) AS bucket) AS buckets",
            [LOCKS, buckets],
        )

"""Counts how many connections a user already has when a new one comes, over all processes.

The count runs in the transaction that writes the new rows, for one process after the other. However many connections
come at once, to however many servers, exactly those beyond the limit are refused.
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

LOCKS = 0x6E657472  # the key space of Netra's advisory locks
BUCKETS = 64  # users share these locks, so that a burst of connections cannot fill the database's lock table


def earlier_connections(opened: Sequence[Connection]) -> dict[str, int]:
    """For each of these rows, which this transaction has just written, count the user's earlier open connections.

    Connections of a process without a heartbeat do not count. Must be the last step of the transaction, because its
    locks are held until the end.
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

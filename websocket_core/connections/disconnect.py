"""Closes connections for an operator: marks their rows, and sends news to the processes that hold them."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils import timezone

from websocket_core.bell import close_news, ring_after_commit
from websocket_core.models import Connection


def request_disconnect(connection_ids: Iterable[str]) -> int:
    """Request that these connections be closed, which happens within a few seconds.

    Returns:
        How many of them were open.
    """
    wanted = Connection.objects.filter(pk__in=list(connection_ids), disconnected_at=None)
    users = set(wanted.values_list("user_id", flat=True))
    count = wanted.update(close_requested_at=timezone.now())
    for user_id in users:
        ring_after_commit(close_news(user_id))
    return count

"""An operator's wish to close connections: a mark on their rows, and a ring for the processes that hold them."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils import timezone

from websocket_core.bell.announcer import announce
from websocket_core.bell.groups import user_group
from websocket_core.connections.hub import CLOSE_MESSAGE
from websocket_core.models import Connection


def request_disconnect(connection_ids: Iterable[str]) -> int:
    """Ask for these connections to be closed; they are within a few seconds.

    Returns:
        How many of them were open.
    """
    wanted = Connection.objects.filter(pk__in=list(connection_ids), disconnected_at=None)
    users = set(wanted.values_list("user_id", flat=True))
    count = wanted.update(close_requested_at=timezone.now())
    for user_id in users:
        announce(user_group(user_id), {"type": CLOSE_MESSAGE})
    return count

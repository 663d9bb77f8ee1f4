"""Sends a user a live notice, on every open socket."""

from __future__ import annotations

import logging
from typing import Any

from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer

from netra.site import wishes
from netra.site.users import id_of
from websocket_core.bell import control_news, ring_after_commit
from websocket_core.bell.in_process_layer import InProcessChannelLayer
from websocket_core.database.own_transaction import caller_in_transaction
from websocket_core.gateway import serving_loop
from websocket_core.wire import frames

log = logging.getLogger(__name__)


def push(user: Any, name: str, data: Any = None) -> None:
    """Send a user a notice, `{"event_type": "notice", "name": …, "data": …}`, on all open sockets, in every process.

    Returns at once. The notice is not stored: users who are not connected, and clients that do not read, miss it.
    Within a transaction, it is sent after the commit, and never after a rollback.

    Args:
        user: the recipient: a Django user, or a user id.
        name: the kind of notice, for the page to distinguish: 1 to 128 characters of A-Z a-z 0-9 _ . : -
        data: anything that can be represented as JSON.

    Raises:
        InvalidAction, TooLarge: the name or the data is invalid, or the notice is larger than an event may be.
    """
    _ring(*_notice(user, name, data))


async def apush(user: Any, name: str, data: Any = None) -> None:
    """See `push`."""
    user_id, text = _notice(user, name, data)
    if await caller_in_transaction():
        await sync_to_async(_ring)(user_id, text)
    else:
        _ring(user_id, text)


def _notice(user: Any, name: str, data: Any) -> tuple[str, str]:
    user_id, name = id_of(user), wishes.name(name, "name")
    text = frames.control("notice", name=name, data=wishes.plain(data, "data"))
    return user_id, wishes.small(text, "data")


def _ring(user_id: str, text: str) -> None:
    if isinstance(get_channel_layer(), InProcessChannelLayer) and serving_loop() is None:
        log.warning(
            "a notice reaches nobody: this process has no sockets, and its channel layer connects no other process; "
            "configure a channel layer between processes (Redis)"
        )
    ring_after_commit(control_news(user_id, text))

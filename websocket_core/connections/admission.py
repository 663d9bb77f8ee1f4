"""How a connection comes in that is added to a manager: what it is taken for, and where its delivery starts."""

from __future__ import annotations

import asyncio
import inspect
import logging
from datetime import UTC, datetime
from typing import Any

from websocket_core.connections.connection import WebSocketConnection
from websocket_core.connections.hub import Hub
from websocket_core.connections.transports import BareTransport
from websocket_core.ids import UserID
from websocket_core.journal import reading as journal_read
from websocket_core.journal.epoch import with_epoch

log = logging.getLogger(__name__)

BARE_WELCOME_SECONDS = 2.0  # that a socket added by code waits for the database before it starts without


def connection_of(consumer: object) -> WebSocketConnection | None:
    """The connection that a consumer has as its `connection`, or that it is itself; `None` for a stranger.

    Never raises. A stranger's attribute is not asked for by `getattr`: that may run its code, and a mock has every one.
    """
    if isinstance(consumer, WebSocketConnection):
        return consumer
    try:
        inner = object.__getattribute__(consumer, "__dict__").get("connection")
    except Exception:  # noqa: BLE001 - no attributes of its own, or none that can be looked at: a stranger
        return None
    return inner if isinstance(inner, WebSocketConnection) else None


def bare_connection(websocket: Any, user_id: UserID) -> WebSocketConnection:
    """A connection around a bare websocket, which code has added.

    Raises:
        TypeError: it has no async `send`.
    """
    if isinstance(websocket, type) or not inspect.iscoroutinefunction(getattr(websocket, "send", None)):
        raise TypeError(f"{type(websocket).__name__} is no connection: it needs an async `send(text)`")
    return WebSocketConnection(user_id, BareTransport(websocket), held=False)


async def welcome(hub: Hub, connection: WebSocketConnection, *, bare: bool) -> None:
    """Start delivery at the heads of this moment. The user's group is joined already, so nothing falls between the two.

    Args:
        bare: code has added it. It is not refused for an absent database; then each thread's start is found when the
            thread moves.

    Raises:
        Exception: the database is away, and the connection is not bare.
    """
    if bare:
        await _welcome_bare(hub, connection)
        return
    connection.earlier = await hub.log.opened(connection)
    connection.epoch, found = await with_epoch(journal_read.welcome, connection.owner_id)
    connection.begin(found.heads, complete=found.complete, oldest=found.oldest)


async def _welcome_bare(hub: Hub, connection: WebSocketConnection) -> None:
    try:
        async with asyncio.timeout(BARE_WELCOME_SECONDS):
            await hub.log.opened(connection)
            connection.epoch, found = await with_epoch(journal_read.welcome, connection.owner_id)
    except Exception as error:  # noqa: BLE001 - whatever the database raises
        log.warning("connection %s starts without heads: %s: %s", connection.connection_id, type(error).__name__, error)
        connection.begin({}, complete=False, oldest=datetime.now(UTC))
    else:
        connection.begin(found.heads, complete=found.complete, oldest=found.oldest)

"""How a connection is added to a manager: what kind it is, and where its delivery starts."""

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

BARE_WELCOME_SECONDS = 2.0  # how long a socket added by code waits for the database before it starts without it


def connection_of(consumer: object) -> WebSocketConnection | None:
    """The connection of a consumer: its attribute `connection`, or the object itself. `None` for anything else.

    Never raises. The attribute is not read with `getattr`, which could run code of an unknown object; and a mock has
    every attribute.
    """
    if isinstance(consumer, WebSocketConnection):
        return consumer
    try:
        inner = object.__getattribute__(consumer, "__dict__").get("connection")
    except Exception:  # noqa: BLE001 - no readable attributes: an unknown object
        return None
    return inner if isinstance(inner, WebSocketConnection) else None


def bare_connection(websocket: Any, user_id: UserID) -> WebSocketConnection:
    """Create a connection for a bare websocket that was added by code.

    Raises:
        TypeError: it has no async `send`.
    """
    if isinstance(websocket, type) or not inspect.iscoroutinefunction(getattr(websocket, "send", None)):
        raise TypeError(f"{type(websocket).__name__} is not a connection: it needs an async `send(text)`")
    return WebSocketConnection(user_id, BareTransport(websocket), held=False)


async def welcome(hub: Hub, connection: WebSocketConnection, *, bare: bool) -> None:
    """Start delivery at the current heads. The user's group is already joined, so no event is missed in between.

    Args:
        bare: the socket was added by code. It is not refused if the database is unavailable; each thread's start is
            then found when the thread changes.

    Raises:
        Exception: the database is unavailable, and the connection is not bare.
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
    except Exception as error:  # noqa: BLE001 - the database may raise anything
        log.warning("connection %s starts without heads: %s: %s", connection.connection_id, type(error).__name__, error)
        connection.begin({}, complete=False, oldest=datetime.now(UTC))
    else:
        connection.begin(found.heads, complete=found.complete, oldest=found.oldest)

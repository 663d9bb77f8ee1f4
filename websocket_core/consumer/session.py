"""What the handlers of actions use, and how their errors are reported."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Protocol

from websocket_core.connections import WebSocketConnection
from websocket_core.database import db
from websocket_core.delivery import Delivery
from websocket_core.errors import (
    ClientError,
    ConnectionClosedError,
    Internal,
    JournalUnavailable,
    UnknownAction,
    WebSocketCoreError,
)
from websocket_core.ids import ThreadKey, new_id
from websocket_core.protocols.run_service import RunService
from websocket_core.unified_manager import UnifiedWebSocketManager
from websocket_core.wire import Closing

log = logging.getLogger(__name__)


class Close(Protocol):
    """Begins to close the socket, without waiting for it."""

    def __call__(self, closing: Closing, **fields: Any) -> None:
        """See `Conversation.close`."""


@dataclass(frozen=True, slots=True)
class Session:
    """One socket, as its handlers use it.

    Attributes:
        connection: receives the answers.
        manager: the manager of the connection's own context.
        run_service: operations on runs; `None` on a server that runs no agents.
        close: closes the socket of a client that must not stay.
    """

    connection: WebSocketConnection
    manager: UnifiedWebSocketManager
    run_service: RunService | None
    close: Close

    @property
    def runs(self) -> RunService:
        """The run service.

        Raises:
            UnknownAction: this server runs no agents.
        """
        if self.run_service is None:
            raise UnknownAction("This server runs no agents.")
        return self.run_service

    @property
    def delivery(self) -> Delivery[ThreadKey]:
        """The connection's delivery.

        Raises:
            ConnectionClosedError: the delivery has not begun.
        """
        if self.connection.delivery is None:
            raise ConnectionClosedError("the connection has not begun")
        return self.connection.delivery


def problem_of(error: Exception) -> WebSocketCoreError:
    """The error that a client is sent: its own error, or only an incident id to find the error in the log."""
    if isinstance(error, ClientError):
        return error
    if isinstance(error, db.OUTAGE):
        return JournalUnavailable()
    incident = new_id()
    log.error("incident %s", incident, exc_info=error)
    return Internal(incident=incident)

"""Statistics about open connections, for `UnifiedWebSocketManager.get_connection_health`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from websocket_core.connections.connection import WebSocketConnection
from websocket_core.wire import frames


def health(connections: Iterable[WebSocketConnection]) -> dict[str, Any]:
    """`active`, `connections`, `waiting_chars`, `since` and `connection_ids` of those that are open."""
    alive = [connection for connection in connections if not connection.closed]
    return {
        "active": bool(alive),
        "connections": len(alive),
        "waiting_chars": sum(connection.delivery.pending_chars for connection in alive if connection.delivery),
        "since": frames.moment(min((connection.connected_at for connection in alive), default=None)),
        "connection_ids": sorted(connection.connection_id for connection in alive),
    }

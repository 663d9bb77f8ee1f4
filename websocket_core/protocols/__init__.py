"""What the core asks of what it does not make itself: a manager for a user's context, and a service for runs.

Lives here: the manager's protocol and its validator (`manager`), and the port through which clients reach runs, with
the `StartRequest` that goes through it (`run_service`).
May come in: every room above; the agents' storey implements `RunService`. Read: `manager`, `run_service`.
"""

from __future__ import annotations

from websocket_core.protocols.manager import (
    PROTOCOL_METHODS,
    WebSocketManagerProtocol,
    WebSocketManagerProtocolValidator,
)

__all__ = ["PROTOCOL_METHODS", "WebSocketManagerProtocol", "WebSocketManagerProtocolValidator"]

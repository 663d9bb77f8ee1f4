"""The interfaces that the core expects others to implement: a manager for a user's context, and a service for runs.

`manager` has the manager's protocol and its validator. `run_service` has the interface through which clients reach
runs, and the `StartRequest` for it. Every room above may import this one, and the agents implement `RunService`.
Reading order: `manager`, `run_service`.
"""

from __future__ import annotations

from websocket_core.protocols.manager import (
    PROTOCOL_METHODS,
    WebSocketManagerProtocol,
    WebSocketManagerProtocolValidator,
)

__all__ = ["PROTOCOL_METHODS", "WebSocketManagerProtocol", "WebSocketManagerProtocolValidator"]

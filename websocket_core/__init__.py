"""The delivery core: users, threads, events, connections. It imports nothing of agents or of HTTP.

Names are resolved on first use, because most of them need Django's models to be loaded.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

_NAMES = {
    "ConnectionID": "ids",
    "RunID": "ids",
    "ThreadID": "ids",
    "UserID": "ids",
    "UnifiedWebSocketEmitter": "unified_emitter",
    "UnifiedWebSocketManager": "unified_manager",
    "UserExecutionContext": "context",
    "UserIsolationError": "errors",
    "WebSocketCoreError": "errors",
    "WebSocketManagerProtocol": "protocols",
    "WebSocketManagerProtocolValidator": "protocols",
    "create_websocket_manager": "websocket_manager",
}

__all__ = sorted(_NAMES)


def __getattr__(name: str) -> Any:
    if name == "WebSocketManager":
        warnings.warn(
            "Import WebSocketManager from websocket_core.websocket_manager; this path will be removed in Netra 2.0.",
            DeprecationWarning,
            stacklevel=2,
        )
        return import_module("websocket_core.websocket_manager").WebSocketManager
    if name in _NAMES:
        return getattr(import_module(f"websocket_core.{_NAMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

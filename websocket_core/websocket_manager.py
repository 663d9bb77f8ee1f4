"""The factory of managers, and the public name of the manager's class."""

from __future__ import annotations

from functools import lru_cache

from django.utils.module_loading import import_string

from websocket_core.conf import conf
from websocket_core.context import UserExecutionContext
from websocket_core.errors import ProtocolComplianceError
from websocket_core.protocols import WebSocketManagerProtocolValidator
from websocket_core.unified_manager import UnifiedWebSocketManager

WebSocketManager = UnifiedWebSocketManager


def create_websocket_manager(user_context: UserExecutionContext) -> UnifiedWebSocketManager:
    """Create a manager for one user context.

    It is synchronous and does no I/O. It works inside and outside an event loop. Every call creates a new manager.

    Raises:
        TypeError: `user_context` is not a `UserExecutionContext`.
        ValueError: one of its ids is invalid (raised when the context is created).
        ProtocolComplianceError: the configured class (`NETRA_MANAGER_CLASS`) does not follow
            `WebSocketManagerProtocol`, or its managers have no `user_context`.
    """
    if not isinstance(user_context, UserExecutionContext):
        raise TypeError(
            "create_websocket_manager needs a UserExecutionContext(user_id, thread_id, run_id), "
            f"not {type(user_context).__name__}"
        )
    manager = _manager_class(conf.MANAGER_CLASS)(user_context)
    WebSocketManagerProtocolValidator.require_protocol_compliance(manager)
    if getattr(manager, "user_context", None) is not user_context:
        raise ProtocolComplianceError(f"{conf.MANAGER_CLASS} does not keep its context as `user_context`")
    return manager


@lru_cache
def _manager_class(path: str) -> type[UnifiedWebSocketManager]:
    manager_class: type[UnifiedWebSocketManager] = import_string(path)
    return manager_class

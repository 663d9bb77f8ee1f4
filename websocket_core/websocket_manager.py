"""Where managers come from: the factory, and the canonical public name of the manager's class."""

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
    """A manager for one user context. Synchronous and without I/O, inside and outside an event loop; every call makes
    a new one.

    Raises:
        TypeError: `user_context` is not a `UserExecutionContext`.
        ValueError: one of its ids is not legal (raised where the context is made).
        ProtocolComplianceError: the configured class (`NETRA_MANAGER_CLASS`) does not follow
            `WebSocketManagerProtocol`, or its managers have no `user_context`.
    """
    if not isinstance(user_context, UserExecutionContext):
        raise TypeError(
            "create_websocket_manager takes a UserExecutionContext(user_id, thread_id, run_id), "
            f"not {type(user_context).__name__}"
        )
    manager = _manager_class(conf.MANAGER_CLASS)(user_context)
    WebSocketManagerProtocolValidator.require_protocol_compliance(manager)
    if getattr(manager, "user_context", None) is not user_context:
        raise ProtocolComplianceError(f"{conf.MANAGER_CLASS} does not keep the context it is given as `user_context`")
    return manager


@lru_cache
def _manager_class(path: str) -> type[UnifiedWebSocketManager]:
    manager_class: type[UnifiedWebSocketManager] = import_string(path)
    return manager_class

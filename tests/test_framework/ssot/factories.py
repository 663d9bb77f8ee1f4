"""Creates contexts, managers and clients for tests, with user ids in the form of identity providers."""

from __future__ import annotations

from typing import Any

from websocket_core.context import UserExecutionContext
from websocket_core.ids import new_id
from websocket_core.unified_manager import UnifiedWebSocketManager
from websocket_core.websocket_manager import create_websocket_manager

USER_ID_EXAMPLES = [
    "105945141827451681156",  # Google
    "github_user_98765432101",  # GitHub
    "auth0_user_abc123def456",  # Auth0
]
GOOGLE, GITHUB, AUTH0 = USER_ID_EXAMPLES
THREAD_ID_EXAMPLES = ["thread_2025_09_13_abc123", "conversation_xyz789", "workflow_integration_456"]


def create_test_context(user_id: str = GOOGLE, **ids: Any) -> UserExecutionContext:
    """A context of this user, in a new thread and a new run unless they are given."""
    return UserExecutionContext(**{"user_id": user_id, "thread_id": new_id(), "run_id": new_id(), **ids})


def create_test_manager(user_id: str = GOOGLE, **ids: Any) -> UnifiedWebSocketManager:
    """A manager of such a context, created by the factory."""
    return create_websocket_manager(create_test_context(user_id, **ids))

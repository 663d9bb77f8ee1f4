"""What an agent's author raises, and what the agents' room raises."""

from __future__ import annotations

from typing import Any

from websocket_core.errors import UnknownAgent, WebSocketCoreError


class AgentError(WebSocketCoreError):
    """The run fails, and the person sees this text. Any other exception's text is never shown."""

    code = "agent_error"

    def __init__(self, message: str = "", **fields: Any) -> None:
        super().__init__(message or "The agent failed.", **fields)


class ToolError(WebSocketCoreError):
    """The tool call fails, and the person sees this text.

    Raised inside `async with ctx.tool(...)`; caught outside, the run goes on.
    """

    def __init__(self, message: str = "", **fields: Any) -> None:
        super().__init__(message or "The tool failed.", **fields)


class ToolDenied(WebSocketCoreError):
    """A person denied the tool call. Catch it to go on without the tool; uncaught, the run fails."""


class UnknownAgentError(UnknownAgent, LookupError):
    """No agent of this name is registered. Names are listed by `agents.registry.catalogue()`."""

"""Errors that authors of agents raise, and errors of this package."""

from __future__ import annotations

from typing import Any

from netra.agents.texts import REPLACEMENT, bounded
from websocket_core.errors import UnknownAgent, WebSocketCoreError


class AgentError(WebSocketCoreError):
    """The run fails, and the person sees this text. The text of any other exception is never shown."""

    code = "agent_error"

    def __init__(self, message: str = "", **fields: Any) -> None:
        super().__init__(message or "The agent failed.", **fields)


class ModelRefused(AgentError):
    """The model or its provider declined to answer."""

    code = "refused"

    def __init__(self, message: str = "", **fields: Any) -> None:
        super().__init__(message or "The model declined to answer this. Ask differently.", **fields)


class ModelUnavailable(AgentError):
    """The model's provider cannot answer at present: it is unreachable, overloaded or limits its callers.

    Args:
        retry_after_ms: when to try again, if the provider said so.
    """

    code = "model_unavailable"

    def __init__(self, message: str = "", *, retry_after_ms: int | None = None, **fields: Any) -> None:
        message = message or "The model is unavailable at present. Try again in a moment."
        super().__init__(message, retry_after_ms=retry_after_ms, **fields)


class UsageLimitReached(AgentError):
    """The run reached the usage limit for one run."""

    code = "usage_limit"

    def __init__(self, message: str = "", **fields: Any) -> None:
        super().__init__(message or "This run reached its usage limit of the model. Ask for less at once.", **fields)


# The codes that an `AgentError` may give `agent_failed`. Any other code of an author's class becomes `agent_error`.
AGENT_CODES = frozenset({"agent_error", "refused", "model_unavailable", "usage_limit", "quota_exceeded"})


class ToolError(WebSocketCoreError):
    """The tool call fails, and the person sees this text.

    Raise it inside `async with ctx.tool(...)`. If it is caught outside, the run continues.
    """

    def __init__(self, message: str = "", **fields: Any) -> None:
        super().__init__(message or "The tool failed.", **fields)


class ToolDenied(WebSocketCoreError):
    """A person denied the tool call. Catch it to continue without the tool; uncaught, the run fails."""


def meant_for_people(error: BaseException) -> BaseException:
    """The author's error inside an exception group of `asyncio.TaskGroup`, if the group contains no other errors."""
    while isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            if not isinstance(meant_for_people(one), AgentError | ToolError | ToolDenied):
                return error
        error = error.exceptions[0]
    return error


def author_text(error: BaseException) -> str:
    """The text that the author wants the person to read, or an empty text if there is none that can be shown."""
    if not isinstance(error, AgentError | ToolError | ToolDenied):
        return ""
    try:
        text = bounded(str(error))
        return text if text.strip(f"{REPLACEMENT} \n\t") else ""  # a replacement character alone says nothing
    except Exception:  # noqa: BLE001 - the author's class may run any code
        return ""


class UnknownAgentError(UnknownAgent, LookupError):
    """No agent with this name is registered. `netra.agents.registry.registered.catalogue()` lists the agents."""

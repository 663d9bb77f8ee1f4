"""What an agent's author raises, and what the agents' room raises."""

from __future__ import annotations

from typing import Any

from netra.agents.texts import REPLACEMENT, bounded
from websocket_core.errors import UnknownAgent, WebSocketCoreError


class AgentError(WebSocketCoreError):
    """The run fails, and the person sees this text. Any other exception's text is never shown."""

    code = "agent_error"

    def __init__(self, message: str = "", **fields: Any) -> None:
        super().__init__(message or "The agent failed.", **fields)


class ModelRefused(AgentError):
    """The model, or its provider, declined to answer. Ask differently."""

    code = "refused"

    def __init__(self, message: str = "", **fields: Any) -> None:
        super().__init__(message or "The model declined to answer this. Ask differently.", **fields)


class ModelUnavailable(AgentError):
    """The model's provider cannot answer now: it is away, overloaded or limits its callers.

    Args:
        retry_after_ms: when it may be tried again, if the provider said so.
    """

    code = "model_unavailable"

    def __init__(self, message: str = "", *, retry_after_ms: int | None = None, **fields: Any) -> None:
        message = message or "The model cannot be reached right now. Try again in a moment."
        super().__init__(message, retry_after_ms=retry_after_ms, **fields)


class UsageLimitReached(AgentError):
    """The run used as much as one run may."""

    code = "usage_limit"

    def __init__(self, message: str = "", **fields: Any) -> None:
        super().__init__(
            message or "This needed more of the model than one run may use. Ask for less at once.", **fields
        )


# What an `AgentError` may end a run with (`agent_failed.code`); any other code of an author's class is `agent_error`.
AGENT_CODES = frozenset({"agent_error", "refused", "model_unavailable", "usage_limit", "quota_exceeded"})


class ToolError(WebSocketCoreError):
    """The tool call fails, and the person sees this text.

    Raised inside `async with ctx.tool(...)`; caught outside, the run goes on.
    """

    def __init__(self, message: str = "", **fields: Any) -> None:
        super().__init__(message or "The tool failed.", **fields)


class ToolDenied(WebSocketCoreError):
    """A person denied the tool call. Catch it to go on without the tool; uncaught, the run fails."""


def meant_for_people(error: BaseException) -> BaseException:
    """The author's error of a group, as an `asyncio.TaskGroup` raises them, when nothing else went wrong in it."""
    while isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            if not isinstance(meant_for_people(one), AgentError | ToolError | ToolDenied):
                return error
        error = error.exceptions[0]
    return error


def author_text(error: BaseException) -> str:
    """What the author wants the person to read; nothing, if there is nothing that can be shown."""
    if not isinstance(error, AgentError | ToolError | ToolDenied):
        return ""
    try:
        text = bounded(str(error))
        return text if text.strip(f"{REPLACEMENT} \n\t") else ""  # a lone half of a character says nothing
    except Exception:  # noqa: BLE001 - the author's class has code of its own
        return ""


class UnknownAgentError(UnknownAgent, LookupError):
    """No agent of this name is registered. Names are listed by `netra.agents.registry.registered.catalogue()`."""

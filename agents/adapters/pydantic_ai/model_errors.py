"""Converts errors of models and providers into endings for people, never in the provider's words."""

from __future__ import annotations

from pydantic_ai.exceptions import (
    ConcurrencyLimitExceeded,
    ContentFilterError,
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestRejectedError,
    ModelRequestTimeout,
    ModelServerError,
    ModelUnavailableError,
    OutputTokenLimitExceeded,
    UsageLimitExceeded,
)
from pydantic_ai.messages import ModelResponse, ToolCallPart

from netra.agents.errors import AgentError, ModelRefused, ModelUnavailable, UsageLimitReached

CUT_SHORT = "The model's answer reached its length limit before it was finished. Ask for less at once."

_AWAY = (
    ConcurrencyLimitExceeded,
    ModelConnectionError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestTimeout,
    ModelServerError,
    ModelUnavailableError,
)
_FILTERS = ("content_filter", "content_policy", "responsibleaipolicy", "moderation", "safety")


def as_ending(error: BaseException) -> AgentError | None:
    """The error that ends the run instead; `None` if the error is not from a model and stays as it is."""
    if isinstance(error, AgentError):
        return error
    if isinstance(error, BaseExceptionGroup):
        return _of_group(error)
    if isinstance(error, ContentFilterError) or _is_filtered(error):
        return ModelRefused()
    if isinstance(error, UsageLimitExceeded):
        return UsageLimitReached()
    if isinstance(error, OutputTokenLimitExceeded):
        return AgentError(CUT_SHORT)
    if isinstance(error, _AWAY) or (isinstance(error, ModelHTTPError) and _is_passing(error.status_code)):
        return ModelUnavailable(retry_after_ms=_retry_after_ms(error))
    return None


def refuse_calls_without_arguments(response: ModelResponse) -> None:
    """Refuse calls that were cut off before their arguments: they would run with the tool's defaults.

    The framework itself detects calls that were cut off within their arguments, because those are not JSON.

    Raises:
        AgentError: there is such a call.
    """
    if response.finish_reason not in ("length", "content_filter"):
        return
    if any(isinstance(part, ToolCallPart) and not part.args for part in response.parts):
        raise ModelRefused() if response.finish_reason == "content_filter" else AgentError(CUT_SHORT)


def is_refusal(error: BaseException) -> bool:
    """Whether the request itself was refused, so that every later run would be refused too."""
    if isinstance(error, BaseExceptionGroup):
        return any(is_refusal(one) for one in error.exceptions)
    return isinstance(error, ModelRequestRejectedError | ContentFilterError)


def _of_group(group: BaseExceptionGroup[BaseException]) -> AgentError | None:
    """The ending for several models that were tried in turn, or for tasks that failed together."""
    found = [ending for ending in map(as_ending, group.exceptions) if ending is not None]
    away = [ending for ending in found if isinstance(ending, ModelUnavailable)]
    if away:  # the next attempt may reach one of them
        hints = [hint for ending in away if (hint := ending.fields.get("retry_after_ms")) is not None]
        return ModelUnavailable(retry_after_ms=min(hints, default=None))
    return found[0] if len(found) == len(group.exceptions) else None


def _is_filtered(error: BaseException) -> bool:
    """Whether the provider's content filter stopped the request with an error status."""
    if not isinstance(error, ModelRequestRejectedError):
        return False
    said = f"{error.provider_error_code} {error.provider_error_type}".lower()
    return any(word in said for word in _FILTERS)


def _is_passing(status: int) -> bool:
    return status in (408, 425, 429) or status >= 500


def _retry_after_ms(error: BaseException) -> int | None:
    seconds = error.retry_after if isinstance(error, ModelAPIError) else None
    return None if seconds is None else round(seconds * 1000)

"""Converts errors of models and providers into endings for people, never in the provider's words.

Every provider's client has its own errors. Most are recognised by their HTTP status, some by the name of their class.
"""

from __future__ import annotations

import email.utils
import time
from collections.abc import Iterable, Iterator
from typing import Any

from langgraph.errors import GraphRecursionError

from netra.agents.adapters.langgraph.model_calls import CUT_SHORT
from netra.agents.errors import AgentError, ModelRefused, ModelUnavailable, UsageLimitReached

_CLIENTS = ("openai", "anthropic", "google", "mistralai", "groq", "cohere", "ollama", "botocore", "together")
_AWAY = (
    "APIConnectionError",
    "APITimeoutError",
    "ConnectTimeout",
    "ConnectionError",
    "EndpointConnectionError",
    "InternalServerError",
    "OverloadedError",
    "RateLimitError",
    "ReadTimeout",
    "ResourceExhausted",
    "ServiceUnavailable",
    "ThrottlingException",
    "TimeoutError",
    "TransportError",
)
_REFUSED = ("ContentFilterFinishReasonError", "OpenAIRefusalError", "BlockedPromptException", "StopCandidateException")
_LIMITS = ("ModelCallLimitExceededError", "ToolCallLimitExceededError")
_FILTERS = ("content_filter", "content_policy", "responsibleaipolicy", "moderation", "safety")


def as_ending(error: BaseException, from_models: Iterable[BaseException]) -> AgentError | None:
    """The error that ends the run instead; `None` if the error is not from a model and stays as it is.

    Args:
        from_models: the errors that models have raised in this run.
    """
    if isinstance(error, AgentError):
        return None
    if isinstance(error, GraphRecursionError) or type(error).__name__ in _LIMITS:
        return UsageLimitReached()
    known = set(map(id, from_models))
    chain = list(_chain(error))
    if not any(id(one) in known or type(one).__module__.split(".")[0] in _CLIENTS for one in chain):
        return None
    return next((ending for one in chain if (ending := _of(one)) is not None), None)


def is_rejected(error: BaseException, from_models: Iterable[BaseException]) -> bool:
    """Whether a provider rejected the request because of its content, which would affect every later run too."""
    known = set(map(id, from_models))
    return any(id(one) in known and _status(one) in (400, 413, 422) for one in _chain(error))


def _of(error: BaseException) -> AgentError | None:
    names = {kind.__name__ for kind in type(error).__mro__}
    status = _status(error)
    if names.intersection(_REFUSED) or (status in (400, 403, 422) and _is_filtered(error)):
        return ModelRefused()
    if "LengthFinishReasonError" in names:
        return AgentError(CUT_SHORT)
    if status is not None:
        return ModelUnavailable(retry_after_ms=_retry_after_ms(error)) if _is_passing(status) else None
    # An error in the middle of a stream has no status: the provider ended a response that it had begun.
    if names.intersection(_AWAY) or ("APIError" in names and "openai" in type(error).__module__):
        return ModelUnavailable(retry_after_ms=_retry_after_ms(error))
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += one.exceptions if isinstance(one, BaseExceptionGroup) else ()
        waiting += [cause for cause in (one.__cause__, one.__context__) if cause is not None]


def _status(error: BaseException) -> int | None:
    for holder in (error, getattr(error, "response", None)):
        for name in ("status_code", "code", "http_status"):
            status = getattr(holder, name, None)
            if isinstance(status, int) and 100 <= status < 600:
                return status
    return None


def _is_passing(status: int) -> bool:
    return status in (408, 425, 429) or status >= 500


def _is_filtered(error: BaseException) -> bool:
    said = f"{getattr(error, 'code', '')} {getattr(error, 'type', '')} {getattr(error, 'body', '')}".lower()
    return any(word in said for word in _FILTERS)


def _retry_after_ms(error: BaseException) -> int | None:
    headers: Any = getattr(getattr(error, "response", None), "headers", None)
    if headers is None:
        return None
    try:
        exact, seconds = headers.get("retry-after-ms"), headers.get("retry-after")
        if exact is not None:
            return max(0, round(float(exact)))
        if seconds is None:
            return None
        try:
            return max(0, round(float(seconds) * 1000))
        except ValueError:
            moment = email.utils.parsedate_to_datetime(seconds)
            return max(0, round((moment.timestamp() - time.time()) * 1000))
    except (AttributeError, TypeError, ValueError, OverflowError):
        return None

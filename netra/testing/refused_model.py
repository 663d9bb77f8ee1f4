"""Models that do not answer: what their HTTP clients and Pydantic AI's test models get instead.

The clients of OpenAI, Anthropic and most others send with `httpx` or its successor `httpx2`. A request to a model never
leaves the process, and the client makes the error of it that it would make of the provider's own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import pytest

# What a request to a model ends with, as OpenAI, Anthropic, Google and those who copy them have it.
MODEL_PATHS = ("/completions", "/responses", "/messages", ":generateContent", ":streamGenerateContent")
# By what a test asks for: HTTP status and error code.
ANSWERS = {
    "unavailable": (503, "server_error"),
    "rate_limited": (429, "rate_limit_exceeded"),
    "refused": (400, "content_filter"),
}
RETRY_AFTER_SECONDS = 7


def install(patch: pytest.MonkeyPatch, how: str) -> None:
    """Refuse every model, until the patch is undone.

    Args:
        how: `unavailable`, `rate_limited`, or `refused` by the provider's content filter.

    Raises:
        ValueError: it is none of these.
    """
    if how not in ANSWERS:
        raise ValueError(f"netra_refuse_model takes one of {', '.join(ANSWERS)}, not {how!r}")
    for library in ("httpx", "httpx2"):
        if (module := _optional(library)) is not None:
            _refuse_requests(patch, module, *ANSWERS[how])
    if (exceptions := _optional("pydantic_ai.exceptions")) is not None:
        for path, kind in (("pydantic_ai.models.test", "TestModel"), ("pydantic_ai.models.function", "FunctionModel")):
            _refuse_calls(patch, getattr(import_module(path), kind), _pydantic_ai_error(exceptions, *ANSWERS[how]))


def _optional(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None


def _refuse_requests(patch: pytest.MonkeyPatch, module: Any, status: int, code: str) -> None:
    send, send_async = module.Client.send, module.AsyncClient.send

    def answer(request: Any) -> Any:
        headers = {"x-should-retry": "false", "retry-after": str(RETRY_AFTER_SECONDS)}
        error = {"type": code, "code": code, "message": "refused by netra.testing"}
        return module.Response(status, headers=headers, json={"type": "error", "error": error}, request=request)

    def refused(client: Any, request: Any, **options: Any) -> Any:
        return answer(request) if _is_for_model(request) else send(client, request, **options)

    async def refused_async(client: Any, request: Any, **options: Any) -> Any:
        return answer(request) if _is_for_model(request) else await send_async(client, request, **options)

    patch.setattr(module.Client, "send", refused)
    patch.setattr(module.AsyncClient, "send", refused_async)


def _is_for_model(request: Any) -> bool:
    return request.method == "POST" and str(request.url.path).endswith(MODEL_PATHS)


def _pydantic_ai_error(exceptions: Any, status: int, code: str) -> Exception:
    error: Exception
    if code == "content_filter":
        error = exceptions.ContentFilterError("refused by netra.testing")
    else:
        error = exceptions.ModelHTTPError(status, "netra.testing", {"code": code}, retry_after=RETRY_AFTER_SECONDS)
    return error


def _refuse_calls(patch: pytest.MonkeyPatch, kind: Any, error: Exception) -> None:
    async def request(*_: Any, **__: Any) -> Any:
        raise error

    @asynccontextmanager
    async def request_stream(*_: Any, **__: Any) -> AsyncIterator[Any]:
        yield await request()

    patch.setattr(kind, "request", request)
    patch.setattr(kind, "request_stream", request_stream)

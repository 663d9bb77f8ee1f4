"""Limits the size of request bodies: larger ones are refused before they are read.

All users share the event loop, so no work that grows with a body may start before its size is known to be acceptable.
`manage.py serve` checks the announced size as soon as the headers have arrived, and counts the bytes while the body
arrives; `BodyLimit` does the same for every other ASGI server.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from netra import addresses
from websocket_core.conf import conf

SLACK = (
    64 * 1024
)  # room for the other fields of a call, and for an input that a client encodes less compactly than Netra

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]


def body_limit(path: str) -> int | None:
    """Return how many bytes the body of a request to this path may have; `None` if Django decides."""
    api = addresses.api_path()
    return conf.MAX_EVENT_BYTES + SLACK if api is not None and path.startswith(api) else None


class _TooLarge(Exception):
    """The body is larger than allowed."""


class BodyLimit:
    """An ASGI application that wraps another one and answers requests whose body is too large with 413.

    Args:
        application: the wrapped application, which serves all other requests.
        limit_of: see `body_limit`.
    """

    def __init__(self, application: Application, limit_of: Callable[[str], int | None] = body_limit) -> None:
        self._application, self._limit_of = application, limit_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        limit = self._limit_of(addresses.path_in_application(scope))
        if limit is None:
            await self._application(scope, receive, send)
            return
        if _announced(scope) > limit:
            await _refuse(send, limit)
            return
        received, started = 0, False

        async def counted() -> dict[str, Any]:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise _TooLarge
            return message

        async def noted(message: dict[str, Any]) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._application(scope, counted, noted)
        except _TooLarge:
            if started:
                raise
            await _refuse(send, limit)


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            # A number with more digits is above every limit.
            return int(value) if value.isdigit() and len(value) < 20 else 1 << 62
    return 0


async def _refuse(send: Send, limit: int) -> None:
    detail = f"A body may have {limit:,} bytes here."
    problem = {"type": "about:blank", "title": "Content Too Large", "status": 413, "detail": detail}
    body = json.dumps({**problem, "code": "too_large"}).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})

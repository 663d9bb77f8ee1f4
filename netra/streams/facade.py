"""The edge itself: which requests are streams, and everything that is refused before the first byte."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

from netra import addresses
from netra.streams import callers, cors, native
from netra.streams.refusals import send_refusal
from netra.streams.request import Receive, Request, Send
from websocket_core.auth import Identity
from websocket_core.errors import ConnectionClosedError

Application = Callable[[Any, Any, Any], Awaitable[None]]
THREAD_EVENTS: Final = re.compile(r"threads/([^/]+)/events\Z")


class Streams:
    """An ASGI application that answers requests for event streams, and hands everything else on.

    Args:
        inner: the site's own application.
    """

    def __init__(self, inner: Application) -> None:
        self._inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        thread_id = _thread_named_in(scope)
        if thread_id is not None:
            request = Request(scope)
            if request.is_preflight and cors.is_allowed(request):
                await send({"type": "http.response.start", "status": 204, "headers": cors.of_preflight(request)})
                await send({"type": "http.response.body", "body": b""})
                return
            if request.wants_stream:
                await _answer(request, receive, send, thread_id)
                return
        await self._inner(scope, receive, send)


def _thread_named_in(scope: dict[str, Any]) -> str | None:
    """The thread whose events the address names; `None` if it names something else."""
    api, path = addresses.api_path(), addresses.path_in_application(scope)
    if api is None or not path.endswith("/events") or not path.startswith(api):
        return None
    match = THREAD_EVENTS.match(path, len(api))
    return match[1] if match is not None else None


async def _answer(request: Request, receive: Receive, send: Send, thread_id: str) -> None:
    started = False

    async def noted(message: dict[str, Any]) -> None:
        nonlocal started
        started = True
        await send(message)

    try:
        identity: Identity = await callers.admit(request)
        await native.thread_events(request, receive, noted, identity, thread_id)
    except Exception as error:
        if not started:
            await send_refusal(request, send, error)
        elif not isinstance(error, ConnectionClosedError):
            raise  # the server resets the connection, as it does when nothing is raised

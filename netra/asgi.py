"""Netra around a site's own ASGI application: the one line in `asgi.py`.

    application = netra_application(get_asgi_application())

`netra.asgi.application` is the embedded project's, under the name that `daphne netra.asgi:application` gives.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from channels.routing import URLRouter

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


def netra_application(inner: Application) -> Application:
    """An ASGI application that answers WebSockets and hands everything else on.

    What every serving process does (housekeeping of runs, among others) begins with the first call.

    Args:
        inner: the site's own ASGI 3 application, `get_asgi_application()` for one.
    """
    # These need Django's models, which the caller has loaded by making `inner`.
    from netra.agents.service import get_runtime
    from websocket_core.consumer import websocket_urlpatterns
    from websocket_core.gateway import get_gateway

    sockets = URLRouter(websocket_urlpatterns(get_runtime))

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        get_gateway().serve()
        await (sockets if scope["type"] == "websocket" else inner)(scope, receive, send)

    return application


def __getattr__(name: str) -> Any:
    if name == "application":  # by name and on first use: nothing here knows the embedded project or sets it up
        return import_module("netra.project.asgi").application
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Netra around an ASGI application: WebSockets at its path, everything else as before."""

from __future__ import annotations

import asyncio
import logging

from channels.routing import ProtocolTypeRouter
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIHandler

from netra import addresses
from netra.agents.service import get_runtime
from netra.server.limits import Limits
from netra.serving.lifespan import Application, Lifespan, Receive, Scope, Send
from netra.serving.request_bodies import BodyLimit
from netra.streams import Streams
from websocket_core.checks.installation import refuse_unsafe_configuration
from websocket_core.conf import conf
from websocket_core.consumer import NetraConsumer
from websocket_core.gateway import get_gateway
from websocket_core.process.lifecycle import lifecycle

log = logging.getLogger(__name__)

APPS = ("websocket_core", "netra.agents", "netra")


class NetraApplication:
    """An ASGI application that answers WebSockets at one path, and hands everything else on.

    What every serving process does (housekeeping of runs, among others) begins with the first call, or when the server
    says that it starts; when it says that it ends, runs get their time and end.

    Args:
        inner: the site's own application.
        path: of the WebSocket; `None`: what `NETRA_WS_PATH` says.

    Raises:
        ImproperlyConfigured: an argument cannot be used, an app is missing, or the configuration is known to lose
            events.
    """

    made = 0
    """How many there are in this process: none means that the site's `asgi.py` has no Netra."""

    def __init__(self, inner: Application, *, path: str | None = None) -> None:
        if not callable(inner):
            raise ImproperlyConfigured(
                f"netra_application: the first argument is {inner!r}, which is no ASGI application: "
                "write netra_application(get_asgi_application())."
            )
        if path is not None and not isinstance(path, str):
            raise ImproperlyConfigured(f'netra_application: path={path!r} is no text: write for instance path="/ws".')
        missing = [name for name in APPS if not apps.is_installed(name)]
        if missing:
            raise ImproperlyConfigured(f"netra_application: add to INSTALLED_APPS: {', '.join(map(repr, missing))}.")
        refuse_unsafe_configuration()  # servers run no system checks
        self._path = addresses.normal(conf.WS_PATH if path is None else path)
        if path is not None:
            addresses.serve_socket_at(path)
        self._socket: Application = NetraConsumer.as_asgi(run_service=get_runtime)
        self._inner, self._http = inner, BodyLimit(Streams(inner))
        self._sockets_inside = _takes_sockets(inner)
        NetraApplication.made += 1

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, WebSocket or lifespan."""
        kind = scope["type"]
        if kind == "lifespan":
            await Lifespan(self._inner, _begin, _end)(scope, receive, send)
            return
        get_gateway().serve()
        if kind == "http":
            await self._http(scope, receive, send)
        elif kind != "websocket":
            await self._inner(scope, receive, send)
        elif addresses.path_in_application(scope) in (self._path, f"{self._path}/"):
            await self._socket(scope, receive, send)
        elif self._sockets_inside:
            await self._inner(scope, receive, send)
        else:
            await _no_socket_here(receive, send)


async def _begin() -> None:
    if lifecycle.draining:  # an earlier life in this process has ended: a test's, for instance
        lifecycle.end()
    get_gateway().serve()


async def _end() -> None:
    try:
        async with asyncio.timeout(Limits.from_settings().drain):
            await lifecycle.drain()
    except TimeoutError:
        log.error("Draining took too long and was given up")


def _takes_sockets(inner: Application) -> bool:
    """Whether WebSockets of other paths have somewhere to go; Django and Channels' router would only raise."""
    if type(inner) is ASGIHandler:
        return False
    return not isinstance(inner, ProtocolTypeRouter) or "websocket" in inner.application_mapping


async def _no_socket_here(receive: Receive, send: Send) -> None:
    """Refuse with HTTP 403, quietly."""
    await receive()
    await send({"type": "websocket.close"})

"""Wraps an ASGI application: Netra serves WebSockets at its path, and the application serves everything else."""

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
    """An ASGI application that serves WebSockets at one path, and passes everything else to the inner application.

    The background work of a serving process, such as the housekeeping of runs, begins with the first call or the
    server's lifespan startup. At the lifespan shutdown, runs get time to end.

    Args:
        inner: the site's own application.
        path: path of the WebSocket; `None` for `NETRA_WS_PATH`.

    Raises:
        ImproperlyConfigured: an argument is invalid, an app is missing, or the configuration would lose events.
    """

    made = 0
    """The number of instances in this process. 0 means that the site's `asgi.py` does not use Netra."""

    def __init__(self, inner: Application, *, path: str | None = None) -> None:
        if not callable(inner):
            raise ImproperlyConfigured(
                f"netra_application: the first argument is {inner!r}, which is not an ASGI application: "
                "write netra_application(get_asgi_application())."
            )
        if path is not None and not isinstance(path, str):
            raise ImproperlyConfigured(
                f'netra_application: path={path!r} is not a text: write, for instance, path="/ws".'
            )
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
    if lifecycle.draining:  # an earlier server in this process has ended, for instance in tests
        lifecycle.end()
    get_gateway().serve()


async def _end() -> None:
    try:
        async with asyncio.timeout(Limits.from_settings().drain):
            await lifecycle.drain()
    except TimeoutError:
        log.error("Draining took too long and was aborted")


def _takes_sockets(inner: Application) -> bool:
    """Whether the inner application serves WebSockets. Django, and a router without them, would only raise."""
    if type(inner) is ASGIHandler:
        return False
    return not isinstance(inner, ProtocolTypeRouter) or "websocket" in inner.application_mapping


async def _no_socket_here(receive: Receive, send: Send) -> None:
    """Refuse the WebSocket with HTTP 403, without a log line."""
    await receive()
    await send({"type": "websocket.close"})

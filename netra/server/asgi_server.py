"""Daphne's server with back-pressure, limits and an orderly shutdown.

It serves one ASGI application on bound sockets, in this process, until it receives a signal.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from netra.server import event_loop

event_loop.install()  # before Daphne installs a reactor of its own

from daphne.server import Server as DaphneServer  # noqa: E402
from twisted.internet import reactor as _reactor  # noqa: E402
from twisted.logger import globalLogBeginner  # noqa: E402

from netra.server.http.protocol import HTTPFactory, WebRequest  # noqa: E402
from netra.server.limits import PACED, Limits  # noqa: E402
from netra.server.listening import describe  # noqa: E402
from netra.server.shutdown import Shutdown  # noqa: E402
from netra.server.transport import start_listening  # noqa: E402
from netra.server.websocket.factory import make_factory  # noqa: E402
from netra.server.websocket.framing import EXTENSION  # noqa: E402
from netra.server.websocket.inbox import Inbox  # noqa: E402
from netra.server.websocket.protocol import WebSocketProtocol  # noqa: E402

log = logging.getLogger(__name__)

reactor: Any = _reactor
BACKLOG = 1024  # connections that may wait to be accepted; the kernel caps it
Protocol = WebSocketProtocol | WebRequest
Application = Callable[
    [dict[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]
]


async def _nothing_to_drain() -> None:
    pass


class NetraServer(DaphneServer):
    """A server for one ASGI application.

    Args:
        application: an ASGI 3 application. WebSockets are offered the extension `netra.frames`: the message
            `{"type": "netra.frames", "texts": [str, …]}` sends each text as a separate frame, all with one write;
            `{"type": "netra.frames", "payload": bytes}` sends frames made by `netra.server.websocket.framing`.
            The extension's `write(texts)` does the former immediately, and returns whether there is room for more.
        listeners: bound sockets (`netra.server.listening`); they belong to the server from now on.
        begin_drain: called at once on the first SIGTERM or SIGINT; from then on the application is not ready.
        drain: awaited after that; it ends the runs and closes the WebSockets with a last frame.
        access_log: Daphne's action logger; `None` for none.
        proxy_headers: whether the client's address is taken from `X-Forwarded-For` and similar headers.
        root_path_header: whether the application's mount point is taken from `Daphne-Root-Path`, when that is a path.
            Any client can send it, and so reach a page by a path that the proxy's rules do not cover.
        body_limit: returns how many bytes the body of a request to a path may have; `None`: as `limits` says.
    """

    def __init__(
        self,
        application: Application,
        listeners: Sequence[socket.socket],
        *,
        limits: Limits | None = None,
        begin_drain: Callable[[], None] = lambda: None,
        drain: Callable[[], Awaitable[None]] = _nothing_to_drain,
        access_log: Callable[..., None] | None = None,
        proxy_headers: bool = False,
        root_path_header: bool = True,
        body_limit: Callable[[str], int | None] | None = None,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(
            application,
            endpoints=[describe(listener) for listener in listeners],
            action_logger=access_log,
            server_name="",
            proxy_forwarded_address_header="X-Forwarded-For" if proxy_headers else None,
            proxy_forwarded_port_header="X-Forwarded-Port" if proxy_headers else None,
            proxy_forwarded_proto_header="X-Forwarded-Proto" if proxy_headers else None,
        )
        self.limits = limits or Limits()
        self.body_limit = body_limit
        self.root_path_header = root_path_header
        self.draining = False
        self.loop: asyncio.AbstractEventLoop = reactor._asyncioEventloop
        self.connections: dict[Protocol, dict[str, Any]] = {}
        self._sockets = list(listeners)
        self._ports: list[Any] = []
        self._leaving: dict[Protocol, float] = {}  # the connection is gone, the application is not
        self._on_ready = on_ready
        self._shutdown = Shutdown(self, begin_drain, drain)

    # --- life

    def run(self) -> None:
        """Serve until a signal arrives. Returns after an orderly shutdown."""
        _forward_failures_of_twisted()
        self.http_factory = HTTPFactory(self)
        self.ws_factory = make_factory(self)
        self._ports = [start_listening(reactor, each, self.http_factory, BACKLOG) for each in self._sockets]
        asyncio.set_event_loop(self.loop)
        self._shutdown.listen_for_signals()
        self.loop.call_later(self.limits.tick, self._tick)
        reactor.callWhenRunning(self._on_ready)
        reactor.run(installSignalHandlers=False)

    def stop_listening(self) -> None:
        """Accept no more connections."""
        for port in self._ports:
            port.stopListening()
        self._ports = []

    def stop(self) -> None:
        """Cut all remaining connections, and let `run` return."""
        if reactor.running:
            reactor.stop()

    def websockets(self) -> list[WebSocketProtocol]:
        """Return the WebSockets that are open, or on their way in or out."""
        return [protocol for protocol in self.connections if isinstance(protocol, WebSocketProtocol)]

    def applications(self) -> list[asyncio.Task[None]]:
        """Return the applications that run."""
        tasks = (details.get("application_instance") for details in self.connections.values())
        return [task for task in tasks if task is not None]

    # --- connections: what Daphne's protocols call

    def protocol_connected(self, protocol: Protocol) -> None:
        """A request has begun."""
        self.connections[protocol] = {"connected": time.time()}

    def protocol_disconnected(self, protocol: Protocol) -> None:
        """A request is over, or its connection is gone. May come twice."""
        details = self.connections.get(protocol)
        if details is None:
            return
        if details.get("application_instance") is None:
            del self.connections[protocol]
        elif "disconnected" not in details:
            details["disconnected"] = time.time()
            self._leaving[protocol] = time.monotonic()

    def create_application(self, protocol: Protocol, scope: dict[str, Any]) -> Inbox | None:
        """Start the application for a connection and return its inbox; `None` when the connection is gone already."""
        details = self.connections.get(protocol)
        if details is None:
            return None
        scope.setdefault("asgi", {"version": "3.0"})
        if isinstance(protocol, WebSocketProtocol):
            scope["extensions"] = {EXTENSION: {"write": protocol.write_frames}}
            inbox = Inbox(self.limits.unread_messages, self.limits.unread_bytes, protocol.on_room)
            send = protocol.send
        else:
            scope["extensions"] = {PACED: {}}
            inbox = Inbox(self.limits.unread_messages, self.limits.unread_bytes)
            send = partial(self.handle_reply, protocol)
        task = self.loop.create_task(self.application(scope, inbox.get, send))
        details["application_instance"] = task
        task.add_done_callback(partial(self._application_done, protocol))
        return inbox

    async def handle_reply(self, protocol: WebRequest, message: dict[str, Any]) -> None:
        """Take a part of an HTTP response; wait while the client is behind."""
        await super().handle_reply(protocol, message)
        channel = getattr(protocol, "channel", None)  # gone when the response is whole
        if channel is None or channel.transport.pending <= self.limits.high_water:
            return
        transport, moved = channel.transport, -1
        while transport.pending > self.limits.low_water and transport.connected:
            if transport.moved == moved:
                transport.abortConnection()  # it accepted nothing for this long
                return
            moved = transport.moved
            try:
                async with asyncio.timeout(self.limits.stall):
                    await transport.drained(self.limits.low_water)
            except TimeoutError:
                continue

    def _application_done(self, protocol: Protocol, task: asyncio.Task[None]) -> None:
        details = self.connections.get(protocol)
        if details is None:
            return
        del details["application_instance"]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("The application failed", exc_info=error)
        if "disconnected" in details:
            del self.connections[protocol]
            self._leaving.pop(protocol, None)
        elif task.cancelled():
            protocol.application_ended(asyncio.CancelledError())
        else:
            protocol.application_ended(error)

    # --- the clock

    def _tick(self) -> None:
        self.loop.call_later(self.limits.tick, self._tick)
        self.http_factory.check_timeouts()
        for protocol in tuple(self.connections):
            try:
                protocol.check_timeouts()
            except Exception:
                log.exception("Looking after %r failed", protocol)
        too_old = time.monotonic() - self.limits.close_application
        for protocol, left_at in tuple(self._leaving.items()):
            if left_at < too_old:
                del self._leaving[protocol]
                log.warning("The application of %r did not end after its connection; it is cancelled", protocol)
                self.connections[protocol]["application_instance"].cancel()


def _forward_failures_of_twisted() -> None:
    """Pass failures that Twisted logs to Python's logging, and discard its other messages."""

    def observe(event: dict[str, Any]) -> None:
        failure = event.get("log_failure")
        if failure is not None:
            log.error("Failure in the server", exc_info=(failure.type, failure.value, failure.getTracebackObject()))

    observers: list[Any] = [observe]
    globalLogBeginner.beginLoggingTo(observers, redirectStandardIO=False, discardBuffer=True)

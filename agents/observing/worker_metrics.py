"""Serves a worker's metrics for Prometheus and its liveness probe on a separate port: workers have no HTTP server.

Threads answer, but each answer needs the event loop: a worker whose loop hangs answers neither with 200.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import TimeoutError as LoopHangs
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from netra.agents.conf import conf
from netra.agents.observing.metrics_access import LOOPBACK, REFUSED, may_read

log = logging.getLogger(__name__)

ANSWER_SECONDS = 5.0
READ_SECONDS = 10.0  # a caller that sends nothing for this long is disconnected
TEXT = "text/plain; charset=utf-8"


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = READ_SECONDS

    def log_message(self, *args: Any) -> None:
        """Write nothing, because probes come every few seconds."""


Refresh = Callable[[], Coroutine[Any, Any, None]]


def serve(host: str, port: int, refresh: Refresh) -> WSGIServer:
    """Serve on this address until the process ends, or until the returned server is shut down.

    Args:
        refresh: updates the metrics. Called on the running event loop.

    Raises:
        OSError: the address is unavailable.
    """
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    server: WSGIServer = type("Server", (_Server,), {"address_family": family})((address[0], port), _Handler)
    server.set_app(_application(asyncio.get_running_loop(), refresh))
    threading.Thread(target=server.serve_forever, name="netra-worker-metrics", daemon=True).start()
    if address[0] not in LOOPBACK and not conf.METRICS_TOKEN:
        log.warning(
            "NETRA_METRICS_TOKEN is not set: on %s port %d, only this machine can read the metrics. Set it, and "
            "let Prometheus send it as a bearer token",
            *(host, port),
        )
    return server


def _application(loop: asyncio.AbstractEventLoop, refresh: Refresh) -> Callable[..., Iterable[bytes]]:
    def application(request: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        status, content_type, body = _answer(request, loop, refresh)
        start_response(status, [("Content-Type", content_type), ("Cache-Control", "no-store")])
        return [body]

    return application


def _answer(request: dict[str, Any], loop: asyncio.AbstractEventLoop, refresh: Refresh) -> tuple[str, str, bytes]:
    probe = request.get("PATH_INFO") == "/healthz"  # reveals nothing, so anybody may ask
    if not probe and not may_read(request):
        return "403 Forbidden", TEXT, REFUSED.encode()
    try:
        work = asyncio.sleep(0) if probe else refresh()
        asyncio.run_coroutine_threadsafe(work, loop).result(ANSWER_SECONDS)
    except LoopHangs:
        return "500 Internal Server Error", TEXT, b"The event loop does not respond.\n"
    return ("200 OK", TEXT, b"ok\n") if probe else ("200 OK", CONTENT_TYPE_LATEST, generate_latest())

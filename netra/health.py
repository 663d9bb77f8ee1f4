"""Answers probes and Prometheus: alive, ready, metrics.

It runs before all other middleware, so that a probe needs neither a host name nor a session.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from asgiref.sync import markcoroutinefunction
from channels.layers import get_channel_layer
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.module_loading import import_string
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from netra.agents.observing.metrics_access import REFUSED, may_read
from netra.agents.registry import discovery
from netra.agents.service import get_runtime
from websocket_core.conf import conf
from websocket_core.database import db
from websocket_core.database.home import connection
from websocket_core.process import metrics
from websocket_core.process.lifecycle import lifecycle
from websocket_core.protocols import WebSocketManagerProtocolValidator

log = logging.getLogger(__name__)

CHECK_TIMEOUT = 3.0  # seconds; an orchestrator asks every few seconds
# Headers that other answers get from middlewares; these answers do not pass through them.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class HealthMiddleware:
    """Middleware that answers `/healthz`, `/readyz` and `/metrics`, and passes on everything else."""

    async_capable = True
    sync_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], Awaitable[HttpResponse]]) -> None:
        self._get_response = get_response
        markcoroutinefunction(self)  # Django recognises an async middleware by this mark

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, or pass on."""
        answer = _ANSWERS.get(request.path)
        if answer is None or request.method not in ("GET", "HEAD"):
            return await self._get_response(request)
        response = await answer(request)
        for name, value in HEADERS.items():
            response[name] = value
        return response


async def healthz(request: HttpRequest) -> HttpResponse:
    """200: the event loop runs."""
    return HttpResponse("ok\n", content_type="text/plain")


async def readyz(request: HttpRequest) -> HttpResponse:
    """200 if this process can serve, otherwise 503; the body says what is wrong."""
    checks = {
        "database": await _database(),
        "channel_layer": await _channel_layer(),
        "protocol": _protocol(),
        "agents": " ".join(discovery.failures()) or "ok",
        "draining": "the process is shutting down" if lifecycle.draining else "ok",
    }
    ready = all(result == "ok" for result in checks.values())
    return JsonResponse({"ready": ready, "checks": checks}, status=200 if ready else 503)


async def prometheus(request: HttpRequest) -> HttpResponse:
    """Metrics of this process, for loopback and for clients that send `NETRA_METRICS_TOKEN`."""
    if not may_read(request.META):
        return HttpResponse(REFUSED, content_type="text/plain", status=403)
    await get_runtime().numbers.refresh()
    return HttpResponse(generate_latest(), content_type=CONTENT_TYPE_LATEST)


_ANSWERS: dict[str, Callable[[HttpRequest], Awaitable[HttpResponse]]] = {
    "/healthz": healthz,
    "/readyz": readyz,
    "/metrics": prometheus,
}


async def _database() -> str:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            await db.read(_select_one)
    except Exception as error:  # noqa: BLE001 - whatever it is, the process is not ready
        return f"unavailable: {type(error).__name__}"
    return "ok"


def _select_one() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM websocket_core_process LIMIT 1")


async def _channel_layer() -> str:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            await get_channel_layer().group_send("netra.readiness", {"type": "netra.readiness"})
    except Exception as error:  # noqa: BLE001 - whatever it is, the process is not ready
        return f"unavailable: {type(error).__name__}"
    return "ok"


def _protocol() -> str:
    result = WebSocketManagerProtocolValidator.validate_manager_protocol(import_string(conf.MANAGER_CLASS))
    metrics.protocol_compliant.set(int(result["compliant"]))
    return "ok" if result["compliant"] else "; ".join(result["findings"])

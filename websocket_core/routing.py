"""Where the socket is."""

from __future__ import annotations

from django.urls import re_path

from websocket_core.consumer import NetraConsumer
from websocket_core.protocols import RunService


def websocket_urlpatterns(run_service: RunService | None = None) -> list[object]:
    """`/ws` and `/ws/`, served by the consumer with this run service."""
    return [re_path(r"^ws/?\Z", NetraConsumer.as_asgi(run_service=run_service))]  # type: ignore[arg-type]

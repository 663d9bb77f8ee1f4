"""Where the socket is."""

from __future__ import annotations

from typing import Any

from django.urls import re_path

from websocket_core.consumer.consumer import NetraConsumer
from websocket_core.run_service import RunService


async def no_such_endpoint(scope: Any, receive: Any, send: Any) -> None:
    """Any other path: refused with HTTP 403, quietly; Channels' router would raise."""
    await receive()
    await send({"type": "websocket.close"})


def websocket_urlpatterns(run_service: RunService | None = None) -> list[Any]:
    """`/ws` and `/ws/`, served by the consumer with this run service; everything else is refused."""
    consumer: Any = NetraConsumer.as_asgi(run_service=run_service)
    refused: Any = no_such_endpoint
    return [re_path(r"^ws/?\Z", consumer), re_path(r"", refused)]

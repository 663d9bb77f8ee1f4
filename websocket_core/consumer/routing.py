"""Where the socket is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.urls import re_path

from websocket_core.consumer.consumer import NetraConsumer
from websocket_core.protocols.run_service import RunService


async def no_such_endpoint(scope: Any, receive: Any, send: Any) -> None:
    """Any other path: refused with HTTP 403, quietly; Channels' router would raise."""
    await receive()
    await send({"type": "websocket.close"})


def websocket_urlpatterns(run_service: Callable[[], RunService] | None = None) -> list[Any]:
    """`/ws` and `/ws/`, served by the consumer; everything else is refused.

    Args:
        run_service: gives the run service of the running event loop; `None`: this server runs no agents.
    """
    consumer: Any = NetraConsumer.as_asgi(run_service=run_service)
    refused: Any = no_such_endpoint
    return [re_path(r"^ws/?\Z", consumer), re_path(r"", refused)]

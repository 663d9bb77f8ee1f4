"""The composition root.

HTTP goes to Django, WebSockets to the consumer with the run service, and housekeeping begins with the first call.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "netra.settings")
django_application = get_asgi_application()  # loads the models that the imports below need

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from netra.agents.service.runtime import RunRuntime  # noqa: E402
from netra.request_bodies import BodyLimit  # noqa: E402
from websocket_core.checks.installation import refuse_unsafe_configuration  # noqa: E402
from websocket_core.consumer.routing import websocket_urlpatterns  # noqa: E402
from websocket_core.process.serving import serving  # noqa: E402

refuse_unsafe_configuration()  # `daphne netra.asgi:application` runs no system checks by itself
run_service = RunRuntime()
_router = ProtocolTypeRouter(
    {"http": BodyLimit(django_application), "websocket": URLRouter(websocket_urlpatterns(run_service))}
)


async def application(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[dict[str, Any]], Awaitable[None]]
) -> None:
    """The ASGI application. Daphne has no lifespan, so what every serving process does begins with its first call."""
    serving.begin()
    await _router(scope, receive, send)

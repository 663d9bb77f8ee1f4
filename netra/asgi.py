"""Adds Netra to a site's own ASGI application with one line in `asgi.py`.

    application = netra_application(get_asgi_application())

`netra.asgi.application` is the one that `ASGI_APPLICATION` names: `daphne netra.asgi:application` works.
"""

from __future__ import annotations

import os
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.utils.module_loading import import_string


def netra_application(inner: Any, *, path: str | None = None) -> Any:
    """Return an ASGI 3 application that answers WebSockets at `path`, and passes everything else on.

    It starts the background work of a serving process with the first call, or with the server's lifespan. When the
    lifespan ends, runs get `NETRA_DRAIN_SECONDS` to finish; those that are left end as `server_stopped`.

    Args:
        inner: the site's own ASGI 3 application: `get_asgi_application()`, a `ProtocolTypeRouter`, a FastAPI app, …
        path: of the WebSocket, with or without a trailing slash. Default: `NETRA_WS_PATH` (`/ws`).

    Raises:
        ImproperlyConfigured: an app is missing in INSTALLED_APPS, or the configuration would lose events.
    """
    if not apps.ready:
        django.setup(set_prefix=False)
    from netra.serving.application import NetraApplication  # it needs Django's models, which are loaded by now

    return NetraApplication(inner, path=path)


def __getattr__(name: str) -> Any:
    if name == "application":  # on first use, because other sites need only `netra_application`
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "netra.settings")
        if f"{__name__}.application" != settings.ASGI_APPLICATION:
            return import_string(settings.ASGI_APPLICATION)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

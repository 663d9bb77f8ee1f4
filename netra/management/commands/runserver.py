"""`manage.py runserver` with WebSockets, where `netra` is above `django.contrib.staticfiles` in INSTALLED_APPS.

This is Daphne's command. Without Daphne or ASGI_APPLICATION, it is the command that the site would have without Netra.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.utils.module_loading import import_string

from websocket_core.conf.extras import is_installed


def _command() -> Any:
    if is_installed("daphne") and getattr(settings, "ASGI_APPLICATION", None):
        package = "daphne"
    elif apps.is_installed("django.contrib.staticfiles"):
        package = "django.contrib.staticfiles"
    else:
        package = "django.core"
    return import_string(f"{package}.management.commands.runserver.Command")


Command = _command()

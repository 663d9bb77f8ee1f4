"""Where Netra is in a site: the socket's path, the HTTP API's, and what a browser has to put in front of them."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.conf import settings
from django.core.handlers.asgi import get_script_prefix as mount_point
from django.urls import NoReverseMatch, get_script_prefix, reverse

from websocket_core.conf import conf

_given: str | None = None  # by `netra_application(…, path=…)`, which wins over the setting


def serve_socket_at(path: str) -> None:
    """Let pages of this process name this path instead of `NETRA_WS_PATH`."""
    global _given
    _given = normal(path)


def socket_path() -> str:
    """The socket's path in the application, without a slash at its end: `/ws`."""
    return _given if _given is not None else normal(conf.WS_PATH)


def socket_address() -> str:
    """The same as a browser asks for it: below the prefix that the site is served under in this request."""
    return get_script_prefix().rstrip("/") + socket_path()


def local_url() -> str:
    """Where a server of this project has its socket when it is started without options."""
    return f"ws://127.0.0.1:8000{socket_address()}"


def normal(path: str) -> str:
    """A path with a slash at its beginning and none at its end."""
    return f"/{path.strip('/')}"


def path_in_application(scope: dict[str, Any]) -> str:
    """The path of a request or WebSocket as Django sees it: without the prefix that the site is served under."""
    path: str = scope["path"]
    return path.removeprefix(mount_point(scope))


def api_path() -> str | None:
    """Where the site's URLconf has the HTTP API, in the application: `/netra/api/`; `None`: nowhere."""
    return _api_path(settings.ROOT_URLCONF)


@cache
def _api_path(urlconf: str) -> str | None:
    try:
        address = reverse("netra-api:api-root", urlconf=urlconf)
    except NoReverseMatch:
        return None
    return f"/{address.removeprefix(get_script_prefix())}"

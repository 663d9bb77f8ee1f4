"""The paths of the WebSocket and the HTTP API in a site, and the prefix that browsers add to them."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.conf import settings
from django.core.handlers.asgi import get_script_prefix as mount_point
from django.urls import NoReverseMatch, get_script_prefix, reverse

from websocket_core.conf import conf

_given: str | None = None  # from `netra_application(…, path=…)`, which overrides the setting


def serve_socket_at(path: str) -> None:
    """Use this path instead of `NETRA_WS_PATH` in pages of this process."""
    global _given
    _given = normal(path)


def socket_path() -> str:
    """The socket's path in the application, without a trailing slash: `/ws`."""
    return _given if _given is not None else normal(conf.WS_PATH)


def socket_address() -> str:
    """The socket's path as browsers see it, with the site's prefix in this request."""
    return get_script_prefix().rstrip("/") + socket_path()


def local_url() -> str:
    """The socket's URL at a server of this project that was started without options."""
    return f"ws://127.0.0.1:8000{socket_address()}"


def normal(path: str) -> str:
    """The path with a leading slash and without a trailing one."""
    return f"/{path.strip('/')}"


def path_in_application(scope: dict[str, Any]) -> str:
    """The path of a request or WebSocket as Django sees it, without the site's prefix."""
    path: str = scope["path"]
    return path.removeprefix(mount_point(scope))


def api_path() -> str | None:
    """The path of the HTTP API in the application (`/netra/api/`), or `None` if the site's URLconf lacks it."""
    return _api_path(settings.ROOT_URLCONF)


@cache
def _api_path(urlconf: str) -> str | None:
    try:
        address = reverse("netra-api:api-root", urlconf=urlconf)
    except NoReverseMatch:
        return None
    return f"/{address.removeprefix(get_script_prefix())}"

"""Checks where a handshake comes from.

Browsers send cookies with any page's WebSocket, so a cookie alone proves nothing.

Django's own request determines the server's name: `ALLOWED_HOSTS`, `SECURE_PROXY_SSL_HEADER` and `USE_X_FORWARDED_HOST`
mean the same here as for pages.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest

from websocket_core.conf import conf
from websocket_core.errors import OriginRefused
from websocket_core.process.log_budget import LogBudget

log = logging.getLogger(__name__)

DEFAULT_PORTS = {"http": 80, "https": 443}
# What browsers send (RFC 6454): scheme, host, port and nothing else. \Z and not $: a newline must not pass.
_ORIGIN = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?\Z", re.IGNORECASE)
# What packaged web applications send: capacitor://localhost, chrome-extension://ID. Their maker chooses the host
# freely,
# so it is compared exactly.
_APPLICATION = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([A-Za-z0-9._~-]+)(?::([0-9]{1,5}))?\Z")
_NETWORK = frozenset({*DEFAULT_PORTS, "ws", "wss", "ftp", "file"})  # schemes that no packaged application uses
_refused = LogBudget()


class Origin(NamedTuple):
    """Scheme, host in lower case, and port. The port is the scheme's default if none is given."""

    scheme: str
    host: str
    port: int


def parse_origin(text: str) -> Origin | None:
    """Parse an origin as browsers write it. Returns `None` for anything else: `null`, a path, a user name, blanks."""
    match = _ORIGIN.match(text)
    if match is not None:
        scheme, host = match[1].lower(), match[2].lower()
        port = int(match[3]) if match[3] else DEFAULT_PORTS[scheme]
    else:
        match = _APPLICATION.match(text)
        if match is None or match[1].lower() in _NETWORK:
            return None
        scheme, host, port = match[1].lower(), match[2], int(match[3] or 0)
    return Origin(scheme, host, port) if port < 65536 else None


class Handshake(HttpRequest):
    """The opening request of a WebSocket, as a Django request that knows the server's name.

    Args:
        headers: the header pairs of the ASGI scope.
        secure: whether the connection itself is encrypted (`wss`).
    """

    def __init__(self, headers: Iterable[tuple[bytes, bytes]], secure: bool) -> None:
        super().__init__()
        self._secure = secure
        for name, value in headers:
            key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
            text = value.decode("latin-1")
            # Like Django's ASGI request, join repeated headers with commas, which occur in no valid host or origin.
            self.META[key] = f"{self.META[key]},{text}" if key in self.META else text
        self.META.setdefault("SERVER_NAME", "")
        self.META.setdefault("SERVER_PORT", "443" if secure else "80")

    def _get_scheme(self) -> str:
        return "https" if self._secure else "http"

    @property
    def has_host(self) -> bool:
        """Whether the client sent a `Host` header."""
        return "HTTP_HOST" in self.META

    def own_origin(self) -> Origin | None:
        """The origin of this server's pages, under the name that the client used.

        Raises:
            OriginRefused: `ALLOWED_HOSTS` does not list that name.
        """
        try:
            return parse_origin(f"{self.scheme}://{self.get_host()}")
        except DisallowedHost:
            _tell("a WebSocket for host %s, which ALLOWED_HOSTS does not list", self.META.get("HTTP_HOST", ""))
            raise OriginRefused("The Host header names a server that ALLOWED_HOSTS does not list.") from None


def handshake_of(scope: dict[str, Any]) -> Handshake:
    """The opening request in an ASGI scope of type `websocket`."""
    return Handshake(scope.get("headers", ()), scope.get("scheme") in ("wss", "https"))


def require_known_host(handshake: Handshake) -> None:
    """Refuse a `Host` that `ALLOWED_HOSTS` does not list.

    Raises:
        OriginRefused: `ALLOWED_HOSTS` does not list it.
    """
    if handshake.has_host:
        handshake.own_origin()


def is_listed(text: str) -> bool:
    """Whether `NETRA_ALLOWED_ORIGINS` lists this origin."""
    origin = parse_origin(text)
    return origin is not None and origin in {parse_origin(entry) for entry in conf.ALLOWED_ORIGINS}


def require_own_origin(handshake: Handshake) -> None:
    """Refuse pages of other sites. The origin must be this server's own or listed in `NETRA_ALLOWED_ORIGINS`.

    Raises:
        OriginRefused: the origin is foreign, `null`, missing or malformed.
    """
    own = handshake.own_origin()
    text = handshake.META.get("HTTP_ORIGIN", "")
    origin = parse_origin(text)
    if origin is None or (origin != own and not is_listed(text)):
        _tell(
            "a WebSocket with a session cookie from a page of %s. If that site may connect, add it to "
            "NETRA_ALLOWED_ORIGINS",
            text,
        )
        raise OriginRefused(
            "A session cookie works only on this site's own pages. Add the page's origin to "
            "NETRA_ALLOWED_ORIGINS, or use a token."
        )


def _tell(what: str, name: str) -> None:
    """Log at most one line a minute per origin or host: browsers retry endlessly, and attackers can invent names."""
    held = _refused.take(name)
    if held is not None:
        shown = name[:200].encode("unicode_escape").decode() or "no origin"
        log.warning(f"refused {what} (%d more since the last such line)", shown, held)  # noqa: G004 - a constant

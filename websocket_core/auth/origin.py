"""Where a handshake comes from. Browsers send cookies along with any page's WebSocket: alone they prove nothing.

Django's own request answers what this server is called: `ALLOWED_HOSTS`, `SECURE_PROXY_SSL_HEADER` and
`USE_X_FORWARDED_HOST` mean the same here as for pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest

from websocket_core.conf import conf
from websocket_core.errors import OriginRefused

DEFAULT_PORTS = {"http": 80, "https": 443}
# What browsers send (RFC 6454): scheme, host, port and nothing else. \Z and not $: a newline must not pass.
_ORIGIN = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?\Z", re.IGNORECASE)


class Origin(NamedTuple):
    """Scheme, host in lower case, and port, with the scheme's own port when none is written."""

    scheme: str
    host: str
    port: int


def parse_origin(text: str) -> Origin | None:
    """An origin as browsers write it, or `None` for anything else: `null`, a path, a user name, blanks."""
    match = _ORIGIN.match(text)
    if match is None:
        return None
    scheme, host, port = match[1].lower(), match[2].lower(), match[3]
    return Origin(scheme, host, int(port) if port else DEFAULT_PORTS[scheme])


class Handshake(HttpRequest):
    """The opening request of a WebSocket, as far as Django needs it to say what this server is called.

    Args:
        headers: pairs of the ASGI scope.
        secure: whether the connection itself is encrypted (`wss`).
    """

    def __init__(self, headers: Iterable[tuple[bytes, bytes]], secure: bool) -> None:
        super().__init__()
        self._secure = secure
        for name, value in headers:
            key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
            text = value.decode("latin-1")
            # Like Django's ASGI request: a repeated header is one with commas, which no host and no origin has.
            self.META[key] = f"{self.META[key]},{text}" if key in self.META else text
        self.META.setdefault("SERVER_NAME", "")
        self.META.setdefault("SERVER_PORT", "443" if secure else "80")

    def _get_scheme(self) -> str:
        return "https" if self._secure else "http"

    @property
    def has_host(self) -> bool:
        """Whether the client said whom it wants to talk to."""
        return "HTTP_HOST" in self.META

    def own_origin(self) -> Origin | None:
        """The origin of pages this server serves under the name the client used.

        Raises:
            OriginRefused: this server is not called that.
        """
        try:
            return parse_origin(f"{self.scheme}://{self.get_host()}")
        except DisallowedHost:
            raise OriginRefused("The Host header names a server that ALLOWED_HOSTS does not list.") from None


def handshake_of(scope: dict[str, Any]) -> Handshake:
    """The opening request in an ASGI scope of type `websocket`."""
    return Handshake(scope.get("headers", ()), scope.get("scheme") in ("wss", "https"))


def require_known_host(handshake: Handshake) -> None:
    """Refuse a `Host` that `ALLOWED_HOSTS` does not list.

    Raises:
        OriginRefused: as said.
    """
    if handshake.has_host:
        handshake.own_origin()


def require_own_origin(handshake: Handshake) -> None:
    """Refuse pages of other sites: the origin must be this server's own or one of `NETRA_ALLOWED_ORIGINS`.

    Raises:
        OriginRefused: it is foreign, `null`, missing or no origin at all.
    """
    own = handshake.own_origin()
    origin = parse_origin(handshake.META.get("HTTP_ORIGIN", ""))
    if origin is None or (origin != own and origin not in {parse_origin(entry) for entry in conf.ALLOWED_ORIGINS}):
        raise OriginRefused(
            "A session cookie opens a connection from this site's own pages alone. List the page's origin in "
            "NETRA_ALLOWED_ORIGINS, or use a token."
        )

"""Where a handshake comes from. Browsers send cookies along with any page's WebSocket: alone they prove nothing.

Django's own request answers what this server is called: `ALLOWED_HOSTS`, `SECURE_PROXY_SSL_HEADER` and
`USE_X_FORWARDED_HOST` mean the same here as for pages.
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
# What applications send that are made of pages: capacitor://localhost, chrome-extension://ID. Such a host is any name
# that the application's maker chose, so it is compared as it is written.
_APPLICATION = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([A-Za-z0-9._~-]+)(?::([0-9]{1,5}))?\Z")
_NETWORK = frozenset({*DEFAULT_PORTS, "ws", "wss", "ftp", "file"})  # schemes that no application has for its own
_refused = LogBudget()


class Origin(NamedTuple):
    """Scheme, host in lower case, and port, with the scheme's own port when none is written."""

    scheme: str
    host: str
    port: int


def parse_origin(text: str) -> Origin | None:
    """An origin as browsers write it, or `None` for anything else: `null`, a path, a user name, blanks."""
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
            _tell("a WebSocket for the host %s: ALLOWED_HOSTS does not list it", self.META.get("HTTP_HOST", ""))
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
    text = handshake.META.get("HTTP_ORIGIN", "")
    origin = parse_origin(text)
    if origin is None or (origin != own and origin not in {parse_origin(entry) for entry in conf.ALLOWED_ORIGINS}):
        _tell(
            "a WebSocket with a session cookie from a page of %s: if that site may connect, list it in "
            "NETRA_ALLOWED_ORIGINS",
            text,
        )
        raise OriginRefused(
            "A session cookie opens a connection from this site's own pages alone. List the page's origin in "
            "NETRA_ALLOWED_ORIGINS, or use a token."
        )


def _tell(what: str, name: str) -> None:
    """One line a minute about each origin or host: browsers come again and again, and strangers make names up."""
    held = _refused.take(name)
    if held is not None:
        shown = name[:200].encode("unicode_escape").decode() or "no origin"
        log.warning(f"refused {what} (%d more since the last such line)", shown, held)  # noqa: G004 - a constant

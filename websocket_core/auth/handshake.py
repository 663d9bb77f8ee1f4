"""Identifies the user from the opening request of a WebSocket. The first credential present decides, good or bad."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import parse_qsl

from django.conf import settings
from django.http import parse_cookie

from websocket_core.auth import tickets, tokens
from websocket_core.auth.identity import Identity
from websocket_core.auth.oidc import access as oidc
from websocket_core.auth.origin import handshake_of, require_known_host, require_own_origin
from websocket_core.auth.sessions import identify_session
from websocket_core.database import db
from websocket_core.errors import Unauthenticated

BEARER_PROTOCOL = "bearer."
# The server answers with the first of these that the client offers, in this order.
PROTOCOLS = ("netra.v1.batch", "netra.v1")
BLANKS = " \t"  # of headers; other blanks, such as U+00A0, are part of a value
MAX_CREDENTIAL = 16 * 1024  # characters; no real token is longer, and longer ones cost more work


async def identify(scope: dict[str, Any]) -> Identity:
    """Identify who opens this connection.

    The credentials are tried in this order: bearer header, `bearer.` subprotocol, `?ticket=`, session cookie.

    Args:
        scope: the ASGI scope of the handshake, as the server created it. No middleware is needed.

    Raises:
        Unauthenticated: there is no credential, or a bad one. Accept, send its `code` in an `error` frame, and close
            with 4401.
        OriginRefused: answer with HTTP 403, without accepting.
    """
    handshake = handshake_of(scope)
    require_known_host(handshake)
    if (token := bearer_token(scope)) is not None:
        return await identify_token(token)
    if bearers := [name[len(BEARER_PROTOCOL) :] for name in _offered(scope) if name.startswith(BEARER_PROTOCOL)]:
        return await identify_token(_single(bearers))
    query = scope.get("query_string", b"").decode("latin-1")
    # Only tickets work in a URL. Anything else that looks like a token has already been logged and must not work.
    if found := [value for name, value in parse_qsl(query, keep_blank_values=True) if name == "ticket"]:
        return await tickets.redeem(_single(found))
    if (key := session_key(scope)) is not None:
        require_own_origin(handshake)
        return await db.read(identify_session, _single([key]))
    raise Unauthenticated("No credentials. Log in, or send a token as `Authorization: Bearer TOKEN`.")


def bearer_token(scope: dict[str, Any]) -> str | None:
    """The token of the `Authorization` header of a handshake or request; `None` if it has none.

    Raises:
        Unauthenticated: it has several, or one that cannot be a token.
    """
    bearers = list(_bearers(_headers(scope, b"authorization")))
    return _single(bearers) if bearers else None


def session_key(scope: dict[str, Any]) -> str | None:
    """The key in the session cookie of a handshake or request; `None` without that cookie."""
    return parse_cookie("; ".join(_headers(scope, b"cookie"))).get(settings.SESSION_COOKIE_NAME) or None


async def identify_token(token: str) -> Identity:
    """Identify the bearer of a token: a first-party one, or one of a configured OpenID Connect issuer.

    Raises:
        Unauthenticated: the token is invalid or no longer valid. The subclass and its `code` give the reason.
    """
    if len(token) > MAX_CREDENTIAL:
        raise Unauthenticated
    if token.startswith(tokens.PREFIX):
        return await db.read(tokens.identify_first_party, token)
    return await oidc.identify(token)


def chosen_subprotocol(offered: Iterable[str]) -> str | None:
    """The subprotocol to answer with; the batching one if the client offers it. A `bearer.` one is never sent back."""
    names = set(offered)
    return next((name for name in PROTOCOLS if name in names), None)


def _offered(scope: dict[str, Any]) -> Sequence[str]:
    return scope.get("subprotocols") or ()


def _headers(scope: dict[str, Any], wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope.get("headers", ()) if name.lower() == wanted]


def _bearers(headers: Iterable[str]) -> Iterable[str]:
    """The tokens of bearer headers. Other schemes are ignored: they may belong to a proxy."""
    for header in headers:
        scheme, _, value = header.strip(BLANKS).partition(" ")
        if scheme.lower() == "bearer":
            yield value.strip(BLANKS)


def _single(values: Sequence[str]) -> str:
    """The only credential of its kind. Several are refused, because two readers could choose different ones."""
    if len(values) != 1 or not values[0] or len(values[0]) > MAX_CREDENTIAL:
        raise Unauthenticated
    return values[0]

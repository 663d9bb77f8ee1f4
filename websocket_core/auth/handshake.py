"""From the opening request of a WebSocket to a user: the first credential present decides, good or bad."""

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
# The first one offered by the client that is in this list, in the order of this list, is answered.
PROTOCOLS = ("netra.v1.batch", "netra.v1")
BLANKS = " \t"  # of headers; what else Python takes for one, for instance U+00A0, is part of a value
MAX_CREDENTIAL = 16 * 1024  # characters; no token is longer, and work grows with length


async def identify(scope: dict[str, Any]) -> Identity:
    """Who opens this connection: bearer header, `bearer.` subprotocol, `?ticket=`, session cookie, in this order.

    Args:
        scope: the ASGI scope of the handshake, as the server made it; no middleware is needed.

    Raises:
        Unauthenticated: no credential, or a bad one. Accept, send its `code` in an `error` frame, close with 4401.
        OriginRefused: answer with HTTP 403, before accepting.
    """
    handshake = handshake_of(scope)
    require_known_host(handshake)
    if bearers := list(_bearers(_headers(scope, b"authorization"))):
        return await identify_token(_single(bearers))
    if bearers := [name[len(BEARER_PROTOCOL) :] for name in _offered(scope) if name.startswith(BEARER_PROTOCOL)]:
        return await identify_token(_single(bearers))
    query = scope.get("query_string", b"").decode("latin-1")
    # Only the ticket: whatever else of a URL looks like a token would be in logs by now, and must not work.
    if found := [value for name, value in parse_qsl(query, keep_blank_values=True) if name == "ticket"]:
        return await tickets.redeem(_single(found))
    cookies = parse_cookie("; ".join(_headers(scope, b"cookie")))
    if session_key := cookies.get(settings.SESSION_COOKIE_NAME):
        require_own_origin(handshake)
        return await db.read(identify_session, _single([session_key]))
    raise Unauthenticated("No credentials. Log in, or send a token as `Authorization: Bearer TOKEN`.")


async def identify_token(token: str) -> Identity:
    """Who bears this token: a first-party one, or one of a configured OpenID Connect issuer.

    Raises:
        Unauthenticated: it is not valid (any more); the subclass and its `code` tell why.
    """
    if len(token) > MAX_CREDENTIAL:
        raise Unauthenticated
    if token.startswith(tokens.PREFIX):
        return await db.read(tokens.identify_first_party, token)
    return await oidc.identify(token)


def chosen_subprotocol(offered: Iterable[str]) -> str | None:
    """The subprotocol to answer with: the batching one when it is offered. A `bearer.` one is never sent back."""
    names = set(offered)
    return next((name for name in PROTOCOLS if name in names), None)


def _offered(scope: dict[str, Any]) -> Sequence[str]:
    return scope.get("subprotocols") or ()


def _headers(scope: dict[str, Any], wanted: bytes) -> list[str]:
    return [value.decode("latin-1") for name, value in scope.get("headers", ()) if name.lower() == wanted]


def _bearers(headers: Iterable[str]) -> Iterable[str]:
    """Tokens of bearer headers. Other schemes are not ours: a proxy may ask for a password of its own."""
    for header in headers:
        scheme, _, value = header.strip(BLANKS).partition(" ")
        if scheme.lower() == "bearer":
            yield value.strip(BLANKS)


def _single(values: Sequence[str]) -> str:
    """The one credential of its kind. Several are refused: two readers could pick different ones."""
    if len(values) != 1 or not values[0] or len(values[0]) > MAX_CREDENTIAL:
        raise Unauthenticated
    return values[0]

"""Who calls: a bearer token, or the session of a page that may use it.

Clients of event streams cannot send a CSRF token, so a session cookie needs the `Origin` of an allowed page instead.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from netra.streams.request import Request
from websocket_core.auth import Identity, identify_token
from websocket_core.auth.handshake import MAX_CREDENTIAL, bearer_token, session_key
from websocket_core.auth.origin import handshake_of, require_known_host, require_own_origin
from websocket_core.auth.sessions import identify_session
from websocket_core.database import db
from websocket_core.errors import OriginRefused, RateLimited, Unauthenticated
from websocket_core.limits import action_limiter


async def admit(request: Request, cost: int = 1) -> Identity:
    """Identify the caller, and charge for the call as for an action. The first credential present decides.

    Args:
        cost: of the call, in actions.

    Raises:
        Unauthenticated: there is no credential, or a bad one.
        OriginRefused: the session cookie came without the origin of an allowed page.
        RateLimited: the user acts too fast, over sockets and calls together.
    """
    identity = await _identify(request)
    retry_after_ms = action_limiter.take(identity.user_id, cost)
    if retry_after_ms is not None:
        raise RateLimited(retry_after_ms=retry_after_ms)
    return identity


async def _identify(request: Request) -> Identity:
    handshake = handshake_of(request.scope)
    require_known_host(handshake)
    token = bearer_token(request.scope)
    if token is not None:
        return await identify_token(token)
    key = session_key(request.scope)
    if key is None:
        raise Unauthenticated("No credentials. Log in, or send `Authorization: Bearer TOKEN`.")
    if "origin" in request.headers:
        require_own_origin(handshake)
    elif request.method != "GET" and not _has_csrf_token(request):
        raise OriginRefused("Send the `Origin` of your page, or its CSRF token in the header X-CSRFToken.")
    if len(key) > MAX_CREDENTIAL:
        raise Unauthenticated
    return await db.read(identify_session, key)


def _has_csrf_token(request: Request) -> bool:
    """Whether the request carries the CSRF token of a page of this site, as Django checks it."""
    asked = ASGIRequest(request.scope, BytesIO())
    middleware = CsrfViewMiddleware(_anything)
    middleware.process_request(asked)
    refused: Any = middleware.process_view(asked, _anything, (), {})
    return refused is None


def _anything(request: HttpRequest) -> HttpResponse:
    """A view for the CSRF check, which asks whether the view is exempt."""
    return HttpResponse()

"""Authentication.

By a bearer token, or by the session of the site's own pages, which needs a CSRF token for every request that changes
something.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, RawPostDataException
from ninja.utils import check_csrf

from netra.api.problems import Problem
from websocket_core.auth import Identity, identify_token
from websocket_core.auth.sessions import identify_session
from websocket_core.database import db
from websocket_core.database.own_transaction import refuse_in_rolled_back_test
from websocket_core.errors import RateLimited, Unauthenticated
from websocket_core.limits import action_limiter, cost_of, cost_of_threads

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class ApiRequest(HttpRequest):
    """A request that has passed `authenticate`."""

    auth: Identity


async def authenticate(request: HttpRequest) -> Identity:
    """Return the user's identity. As on the socket, only the first credential present counts, valid or not.

    Raises:
        Unauthenticated: no credential, or an invalid one.
        Problem: 403, a session without its CSRF token.
        RateLimited: the user acts too fast; sockets and calls count together.
    """
    identity = await _identify(request)
    retry_after_ms = action_limiter.take(identity.user_id, _cost(request))
    if retry_after_ms is not None:
        raise RateLimited(retry_after_ms=retry_after_ms)
    return identity


async def _identify(request: HttpRequest) -> Identity:
    await refuse_in_rolled_back_test()
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return await identify_token(token.strip(" \t"))
    session_key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    if not session_key:
        raise Unauthenticated("No credentials. Log in, or send `Authorization: Bearer TOKEN`.")
    identity = await db.read(identify_session, session_key)
    if request.method not in SAFE_METHODS:
        refused: Any = check_csrf(request, _anything)
        if refused is not None:
            raise Problem(403, "csrf_failed", "Send the CSRF token of your page in the header X-CSRFToken.")
    return identity


def _cost(request: HttpRequest) -> int:
    """Count a call; it costs as much as the same action on the socket."""
    asked = request.GET.get("limit", "")
    listed = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 4 else 0
    try:
        return cost_of(request.body) + cost_of_threads(listed)
    except RawPostDataException:  # the CSRF check has read the body as a form; it will be refused
        return 1


def _anything(request: HttpRequest) -> None:
    """A view for the CSRF check, which looks whether the view is exempt."""

"""The console's page, and the facts that it requests again after a lost connection."""

from pathlib import Path

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.decorators import login_required
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render, resolve_url
from django.urls import NoReverseMatch, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from netra import addresses, content_security
from netra.agents.base import BaseAgent
from netra.agents.start_policy import startable_kinds_of

_STATIC = Path(__file__).parent / "static"
LOGOUT_NAMES = ("logout", "account_logout")  # Django's, and django-allauth's
# Loaded with the first thread that is opened.
LATER = {"approval", "detail", "inline", "markdown", "run-card", "steps", "thread-view", "timeline"}
_MODULES = (
    "netra/netra-client.js",
    *(
        f"netra/{room}/{path.name}"
        for room in ("client", "console")
        for path in (_STATIC / "netra" / room).glob("*.js")
        if path.stem not in LATER
    ),
)


@login_required
@never_cache  # after log-out, the "back" button must not show the page again
@require_safe
def console(request: HttpRequest) -> HttpResponse:
    """The console: a single page; its script modules do the rest."""
    context = {
        "bootstrap": _bootstrap(request),
        # Preload all modules: otherwise each level of imports would cost the browser a round trip.
        "modules": sorted(name for name in _MODULES if name != "netra/console/main.js"),
        "socket": addresses.socket_address(),
        "nonce": content_security.nonce(request),
    }
    return content_security.allow_socket(request, render(request, "netra/console.html", context))


@never_cache
@require_safe
def bootstrap(request: HttpRequest) -> JsonResponse:
    """The facts that the page was rendered with, so that a reconnecting page can check that the user is still the same.

    Answers 401 instead of redirecting to the log-in page, which a script could not tell from success.
    """
    if not request.user.is_authenticated:
        return JsonResponse({"code": "unauthenticated", "message": "Log in first."}, status=401)
    return JsonResponse(_bootstrap(request))


def _bootstrap(request: HttpRequest) -> dict[str, object]:
    user = request.user
    return {
        "user": {"id": str(user.pk), "name": _name(user)},
        "agents": [_agent(kind) for kind in startable_kinds_of(user)],
        "urls": {
            "bootstrap": reverse("netra-bootstrap"),
            "login": resolve_url(settings.LOGIN_URL),
            "logout": _logout(),
        },
        "no_socket": _why_no_socket(request),
    }


def _logout() -> str | None:
    """Return the address at which the site's users log out; `None` if it is unknown."""
    given = getattr(settings, "LOGOUT_URL", None)
    if given:
        return resolve_url(given)
    for name in LOGOUT_NAMES:
        try:
            return reverse(name)
        except NoReverseMatch:
            continue
    return None


def _why_no_socket(request: HttpRequest) -> str | None:
    """Return the message for a WebSocket that never opens because the server does not support WebSockets."""
    if not isinstance(request, WSGIRequest):
        return None
    if request.META.get("SERVER_SOFTWARE", "").startswith("WSGIServer"):  # Django's runserver
        return (
            'This server does not support WebSockets. Run "manage.py serve", or put "netra" above '
            '"django.contrib.staticfiles" in INSTALLED_APPS; then runserver supports them.'
        )
    return "This page comes from a WSGI server, which does not support WebSockets. Use an ASGI server at this address."


def _name(user: object) -> str:
    full_name = getattr(user, "get_full_name", None)
    return (full_name() if full_name else "") or (user.get_username() if isinstance(user, AbstractBaseUser) else "")


def _agent(kind: "type[BaseAgent]") -> dict[str, str]:
    """An agent for the picker. `hint` is the placeholder of the message box, from the schema of the agent's input."""
    schema = getattr(kind, "input_schema", None) or {}
    message = (schema.get("properties") or {}).get("message") or {}
    return {
        "name": kind.name,
        "description": kind.description,
        "hint": str(message.get("description") or schema.get("description") or ""),
    }

"""The console's page, and what it asks for again when it comes back after a lost connection."""

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
@never_cache  # the "back" button must not bring a page back after the log-out
@require_safe
def console(request: HttpRequest) -> HttpResponse:
    """The console: one page, whose modules do the rest."""
    context = {
        "bootstrap": _bootstrap(request),
        # All modules at once: found one after the other, each level of imports would cost a round trip.
        "modules": sorted(name for name in _MODULES if name != "netra/console/main.js"),
        "socket": addresses.socket_address(),
        "nonce": content_security.nonce(request),
    }
    return content_security.allow_socket(request, render(request, "netra/console.html", context))


@never_cache
@require_safe
def bootstrap(request: HttpRequest) -> JsonResponse:
    """The same facts the page was made with, for a page that comes back: is this still the same user?

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
    """Where the site's users log out; `None`: nobody can tell."""
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
    """What the page says when its WebSocket never opens, and the server of the page is one that has none."""
    if not isinstance(request, WSGIRequest):
        return None
    if request.META.get("SERVER_SOFTWARE", "").startswith("WSGIServer"):  # Django's runserver
        return (
            'This server has no WebSockets. Run "manage.py serve", or put "netra" above "django.contrib.staticfiles" '
            "in INSTALLED_APPS; then runserver has them."
        )
    return "This page comes from a WSGI server, which has no WebSockets: they need an ASGI server at this address."


def _name(user: object) -> str:
    full_name = getattr(user, "get_full_name", None)
    return (full_name() if full_name else "") or (user.get_username() if isinstance(user, AbstractBaseUser) else "")


def _agent(kind: "type[BaseAgent]") -> dict[str, str]:
    """An agent for the picker. `hint` is what the empty message box says, from the schema of the agent's input."""
    schema = getattr(kind, "input_schema", None) or {}
    message = (schema.get("properties") or {}).get("message") or {}
    return {
        "name": kind.name,
        "description": kind.description,
        "hint": str(message.get("description") or schema.get("description") or ""),
    }

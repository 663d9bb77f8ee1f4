"""The console's page, and what it asks for again when it comes back after a lost connection."""

from pathlib import Path

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render, resolve_url
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from netra.agents.base import BaseAgent
from netra.agents.start_policy import startable_kinds_of
from websocket_core.extras import is_installed

HAS_POLICY = is_installed("csp")  # django-csp, whose policy has to allow the socket
if HAS_POLICY:
    from csp.decorators import csp_update

_STATIC = Path(__file__).parent / "static"
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
def console(request: HttpRequest) -> HttpResponseBase:
    """The console at `/`: one page, whose modules do the rest."""
    if not HAS_POLICY:
        return _page(request)
    scheme = "wss" if request.is_secure() else "ws"
    # Not every browser counts the page's own WebSocket as 'self'.
    return csp_update({"connect-src": [f"{scheme}://{request.get_host()}"]})(_page)(request)


def _page(request: HttpRequest) -> HttpResponse:
    # All modules at once: found one after the other, each level of imports would cost a round trip.
    modules = sorted(name for name in _MODULES if name != "netra/console/main.js")
    return render(request, "netra/console.html", {"bootstrap": _bootstrap(request), "modules": modules})


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
            "logout": reverse("account_logout"),
        },
    }


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

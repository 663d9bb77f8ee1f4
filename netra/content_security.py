"""What a page of Netra's needs of the site's content security policy, where it has one."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string

DJANGO_6 = "django.middleware.csp"
_of_django: Callable[[HttpRequest], object] = (
    import_string(f"{DJANGO_6}.get_nonce") if find_spec(DJANGO_6) else lambda request: None
)


def nonce(request: HttpRequest | None) -> str:
    """The nonce that scripts and styles of the answer may carry; "" where there is none.

    It is the one of django-csp, or of Django's own middleware.
    """
    if request is None:
        return ""
    found = getattr(request, "csp_nonce", None)
    if found is None:  # not "or": one that nobody has asked for yet counts as false
        found = _of_django(request)
    return "" if found is None else str(found)


def allow_socket(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Let the page open its own WebSocket; not every browser counts that as 'self'. Of django-csp, where it is used."""
    scheme = "wss" if request.is_secure() else "ws"
    update = {"connect-src": ["'self'", f"{scheme}://{request.get_host()}"]}
    response._csp_update = update  # type: ignore[attr-defined]  # what `csp.decorators.csp_update` does
    return response

"""When an identity provider cannot be asked, or answers what nobody can use, while a person logs in.

django-allauth lets what its requests and its reading of the answer raise go on, which would be a 500 with a traceback
for every visitor while the provider is ill.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from websocket_core.process.log_budget import LogBudget

log = logging.getLogger(__name__)

VIEWS = "allauth.socialaccount.providers."
_warnings = LogBudget()


class LoginTrouble:
    """Middleware that answers with 503 for it, and writes one line a minute."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """Pass on."""
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer for the views of providers; others' exceptions are theirs."""
        match = request.resolver_match
        if match is None or not getattr(match.func, "__module__", "").startswith(VIEWS):
            return None
        if isinstance(exception, Http404 | PermissionDenied | SuspiciousOperation):
            return None
        held = _warnings.take(request.path)
        if held is not None:
            log.warning(
                "log-in at %s failed (%d more since the last such line): the provider cannot be used: %s: %.300s",
                *(request.path, held, type(exception).__name__, exception),
            )
        response = render(request, "netra/login_trouble.html", status=503)
        response["Retry-After"] = "10"
        return response

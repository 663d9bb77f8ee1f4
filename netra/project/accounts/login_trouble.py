"""Handles an identity provider that cannot be reached, or answers incorrectly, while a user logs in.

django-allauth does not catch errors of its requests and of parsing their answers, which would be a 500 with a traceback
for every visitor while the provider fails.
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
    """Middleware that answers such failures with 503, and logs one line a minute."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """Pass on."""
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Handle exceptions from the views of providers only."""
        match = request.resolver_match
        if match is None or not getattr(match.func, "__module__", "").startswith(VIEWS):
            return None
        if isinstance(exception, Http404 | PermissionDenied | SuspiciousOperation):
            return None
        held = _warnings.take(request.path)
        if held is not None:
            log.warning(
                "log-in at %s failed (%d more since the last such line) because of the provider: %s: %.300s",
                *(request.path, held, type(exception).__name__, exception),
            )
        response = render(request, "netra/login_trouble.html", status=503)
        response["Retry-After"] = "10"
        return response

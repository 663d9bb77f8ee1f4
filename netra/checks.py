"""System checks of what a site includes with `netra.urls`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.urls import NoReverseMatch, reverse

from websocket_core.conf import extras


@checks.register(checks.Tags.urls)
def check_http_api(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """I001: `netra.urls` is included, but without the HTTP API, because a package is missing. The API is optional."""
    missing = extras.is_missing("ninja", "The HTTP API")
    if missing is None:
        return []
    try:
        reverse("netra-healthz")
    except NoReverseMatch:
        return []
    hint = "Without it, netra.urls has no api/. If you do not need it: SILENCED_SYSTEM_CHECKS = ['netra.I001']."
    return [checks.Info(missing, hint=hint, id="netra.I001")]

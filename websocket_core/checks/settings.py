"""System checks of settings: a meaningless value is an error, a setting that is never read is a warning."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.checks import Warning as CheckWarning

from websocket_core.auth.origin import parse_origin
from websocket_core.conf import conf
from websocket_core.conf import values as setting_values
from websocket_core.conf.reader import PREFIX, READERS, names

AT_START = "netra"  # tag of the checks that a server runs before it serves
HINT = "See docs/reference/settings.md."


@register(AT_START)
def check_values(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E020: every setting of Netra must have a value of its type."""
    faults = {reader.prefixed(name): fault for reader in READERS for name, fault in reader.faults()}
    return [Error(f"{name} {fault}", hint=HINT, id="websocket_core.E020") for name, fault in faults.items()]


@register(AT_START)
def check_names(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """W020: a setting with Netra's prefix that Netra does not know is misspelt."""
    known = names()
    candidates = known.union(getattr(settings, "NETRA_READ_VARIABLES", ()))
    given = {name for name in dir(settings) if name.startswith(PREFIX)}
    given |= set(getattr(settings, "NETRA_UNREAD_VARIABLES", ()))
    return [
        CheckWarning(
            f"{name} is not a Netra setting and is never read.{setting_values.near(name, candidates)}",
            hint=HINT,
            id="websocket_core.W020",
        )
        for name in sorted(given - known, key=str.upper)
    ]


@register(AT_START)
def check_origins(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E012: an entry of a list of origins or hosts must be one that a browser can send."""
    trusted = _texts(getattr(settings, "CSRF_TRUSTED_ORIGINS", ()))
    hosts = _texts(getattr(settings, "ALLOWED_HOSTS", ()))
    faults = [
        *(("NETRA_ALLOWED_ORIGINS", setting_values.origin(text, _is_origin)) for text in _texts(conf.ALLOWED_ORIGINS)),
        *(("CSRF_TRUSTED_ORIGINS", setting_values.origin(text, _is_origin, wildcards=True)) for text in trusted),
        *(("ALLOWED_HOSTS", setting_values.host(text)) for text in hosts),
    ]
    return [
        Error(f"{name}: {fault}", hint="Separate entries by commas.", id="websocket_core.E012")
        for name, fault in faults
        if fault
    ]


def _is_origin(text: str) -> bool:
    return parse_origin(text) is not None


def _texts(value: object) -> Iterable[str]:
    """The texts of a list, or nothing if it is not a list. `check_values` or Django reports that."""
    return (
        [text for text in value if isinstance(text, str)] if isinstance(value, list | tuple | set | frozenset) else []
    )

"""System checks of the project's settings, run by `manage.py check --deploy`."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks

from websocket_core.auth.origin import parse_origin
from websocket_core.conf import values as setting_values
from websocket_core.conf.reader import declare

# What Netra's own settings hold beside the settings of the packages.
declare("NETRA_SECRET_KEY_GENERATED", "NETRA_SIGN_UP", "NETRA_LOGIN_ORIGINS")
declare("NETRA_UNREAD_VARIABLES", "NETRA_READ_VARIABLES")


@checks.register("netra")
def check_login_origins(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Refuse entries of NETRA_LOGIN_ORIGINS that no browser could ever match."""
    entries = getattr(settings, "NETRA_LOGIN_ORIGINS", ())
    faults = [
        setting_values.origin(entry, lambda text: parse_origin(text) is not None, wildcards=True) for entry in entries
    ]
    return [
        checks.Error(f"NETRA_LOGIN_ORIGINS: {fault}", hint="Separate entries by commas.", id="netra.E001")
        for fault in faults
        if fault
    ]


@checks.register(checks.Tags.security, deploy=True)
def check_secret_key_is_given(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Warn when the secret key is one that this installation made for itself."""
    if not settings.NETRA_SECRET_KEY_GENERATED:
        return []
    return [
        checks.Warning(
            "SECRET_KEY is not set: a key made by this installation is in use.",
            hint="Set the environment variable SECRET_KEY to a long random text, the same in every process.",
            id="netra.W001",
        )
    ]


@checks.register(checks.Tags.security, deploy=True)
def check_one_process_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Warn about what only works as long as there is one server process."""
    messages: list[checks.CheckMessage] = []
    if settings.DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
        messages.append(
            checks.Warning(
                "The database is a SQLite file, which serves one machine only.",
                hint="Set DATABASE_URL, for instance postgresql://user:password@host/netra.",
                id="netra.W002",
            )
        )
    if not settings.NETRA_REDIS_URL:
        messages.append(
            checks.Warning(
                "The channel layer lives inside one process: other server processes learn of events late.",
                hint="Set REDIS_URL, for instance redis://host:6379/0, before you start a second process.",
                id="netra.W003",
            )
        )
    return messages

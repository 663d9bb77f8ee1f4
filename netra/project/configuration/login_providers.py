"""`SOCIALACCOUNT_PROVIDERS` → the settings for log-in through providers: Django apps, and allowed form targets.

The value is django-allauth's own setting, as JSON:

    {"openid_connect": {"APPS": [{"provider_id": "corp", "name": "Corp", "client_id": "…", "secret": "…",
                                  "settings": {"server_url": "https://id.example.com/realms/corp"}}]},
     "google": {"APPS": [{"client_id": "…", "secret": "…"}]},
     "github": {"APPS": [{"client_id": "…", "secret": "…"}]},
     "auth0": {"AUTH0_URL": "https://TENANT.auth0.com", "APPS": [{"client_id": "…", "secret": "…"}]}}
"""

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

PACKAGE = "allauth.socialaccount.providers"
# The log-in addresses of these providers; others name theirs in their settings.
ORIGINS = {
    "google": "https://accounts.google.com",
    "github": "https://github.com",
    "microsoft": "https://login.microsoftonline.com",
}


def provider_apps(providers: Mapping[str, Any]) -> list[str]:
    """The Django apps of the configured providers.

    Raises:
        ImproperlyConfigured: django-allauth has no such provider.
    """
    apps = []
    for name in providers:
        if not name.isidentifier() or find_spec(f"{PACKAGE}.{name}") is None:
            raise ImproperlyConfigured(
                f"SOCIALACCOUNT_PROVIDERS names {name!r}, which django-allauth does not have. "
                "Any OpenID Connect provider works as openid_connect."
            )
        apps.append(f"{PACKAGE}.{name}")
    return apps


def login_origins(providers: Mapping[str, Any]) -> list[str]:
    """The origins of the configured providers' log-in pages.

    Browsers also apply a page's `form-action` to the target of its form's redirects.
    """
    return sorted({origin for name, entry in providers.items() for origin in _origins(name, entry)})


def _origins(name: str, entry: Any) -> Iterator[str]:
    if name in ORIGINS:
        yield ORIGINS[name]
    if not isinstance(entry, Mapping):
        raise ImproperlyConfigured(f"SOCIALACCOUNT_PROVIDERS[{name!r}] must be a JSON object.")
    apps = entry.get("APPS") or ([entry["APP"]] if "APP" in entry else [])
    for settings in (entry, *(app.get("settings") or {} for app in apps)):
        for key, value in settings.items():
            if key.lower().endswith("_url") and isinstance(value, str):
                parts = urlsplit(value)
                yield f"{parts.scheme}://{parts.netloc}"

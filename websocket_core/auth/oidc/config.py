"""Reads and validates `NETRA_OIDC_ISSUERS`, the OpenID Connect issuers whose tokens open connections.

    {"corp": {"issuer": "https://id.example.com/realms/corp", "audience": "netra",
              "jwks_url": "https://…", "algorithms": ["RS256"]}}

`audience` is a text or a list of texts. Without `jwks_url`, it is found by discovery. The default of `algorithms` is
RS256 and ES256.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured
from django.db import models

from websocket_core.conf import conf, extras
from websocket_core.conf.values import near

# Only signatures by key pairs. With a shared-secret algorithm, anybody with the public key could sign.
ALGORITHMS = frozenset(f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in (256, 384, 512)) | {"EdDSA"}
DEFAULT_ALGORITHMS = ("RS256", "ES256")
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_ALIAS = re.compile(r"[A-Za-z0-9_-]{1,32}\Z")  # no colon: it separates the alias from the subject
# No user name, backslash or blank: URL parsers disagree about which part of such an address is the host.
_PLAIN_URL = re.compile(r"https?://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?(?:[/?][!-\[\]-~]*)?\Z")
_KNOWN = frozenset({"issuer", "audience", "jwks_url", "algorithms"})


@dataclass(frozen=True, slots=True)
class Issuer:
    """One identity provider. The ids of its users begin with the alias."""

    alias: str
    issuer: str
    audiences: tuple[str, ...]
    jwks_url: str | None
    algorithms: tuple[str, ...]

    @property
    def discovery_url(self) -> str:
        """Where it says of itself where its keys are."""
        return self.issuer.rstrip("/") + "/.well-known/openid-configuration"


def issuers() -> tuple[Issuer, ...]:
    """The configured issuers.

    Raises:
        ImproperlyConfigured: a setting is wrong. The message names it and says what to write.
    """
    entries: object = conf.OIDC_ISSUERS
    if not isinstance(entries, Mapping):
        raise ImproperlyConfigured('NETRA_OIDC_ISSUERS must be a mapping: {"ALIAS": {"issuer": …, "audience": …}}.')
    return tuple(_issuer(alias, entry) for alias, entry in entries.items())


def _issuer(alias: Any, entry: Any) -> Issuer:
    where = f"NETRA_OIDC_ISSUERS[{alias!r}]"
    if not isinstance(alias, str) or not _ALIAS.match(alias):
        raise ImproperlyConfigured(f"{where}: an alias must have 1 to 32 characters of A-Z a-z 0-9 _ -.")
    if not isinstance(entry, Mapping):
        raise ImproperlyConfigured(f'{where} must be a mapping: {{"issuer": …, "audience": …}}.')
    for name in set(entry) - _KNOWN:
        raise ImproperlyConfigured(
            f"{where}: the keys are {{{', '.join(sorted(_KNOWN))}}}; {name!r:.100} is unknown.{near(str(name), _KNOWN)}"
        )
    jwks_url = entry.get("jwks_url")
    for name, url in (("issuer", entry.get("issuer")), ("jwks_url", jwks_url or "https://-")):
        if not isinstance(url, str) or not is_safe_url(url):
            raise ImproperlyConfigured(
                f"{where}: {name} must be an https:// URL (http:// only for this machine), without a user name."
            )
    audiences = _texts(entry.get("audience"))
    if not audiences:
        raise ImproperlyConfigured(f"{where}: audience must name the tokens' audience, as a text or a list of texts.")
    algorithms = _texts(entry.get("algorithms", DEFAULT_ALGORITHMS))
    if not algorithms or not ALGORITHMS.issuperset(algorithms):
        raise ImproperlyConfigured(f"{where}: algorithms must be some of {', '.join(sorted(ALGORITHMS))}.")
    return Issuer(alias, entry["issuer"], audiences, jwks_url, algorithms)


def _texts(value: object) -> tuple[str, ...]:
    """A text or a list of texts as a tuple; empty for anything else."""
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, Sequence) or not all(isinstance(text, str) and text for text in values):
        return ()
    return tuple(values)


def is_safe_url(url: str) -> bool:
    """Whether keys may be fetched from this address: encrypted, or on this machine."""
    origin = origin_of(url)
    return origin is not None and (origin[0] == "https" or origin[1] in LOOPBACK)


def origin_of(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of an address, or `None` if it has none or if parsers could read it differently."""
    if not _PLAIN_URL.match(url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname:
        return None
    return parts.scheme, parts.hostname, (443 if parts.scheme == "https" else 80) if port is None else port


@register("netra")  # settings_checks.AT_START
def check_issuers(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Check the issuers.

    E010: every entry of NETRA_OIDC_ISSUERS must be complete and safe. E011: their user ids must be unambiguous.
    E013: the package that fetches the keys must be installed.
    """
    try:
        configured = issuers()
    except ImproperlyConfigured as error:
        hint = "See docs/howto/log-in.md."
        return [Error(str(error), hint=hint, id="websocket_core.E010")]
    if configured and (missing := extras.is_missing("requests", "NETRA_OIDC_ISSUERS")):
        return [Error(missing, id="websocket_core.E013")]
    key: Any = get_user_model()._meta.pk
    while key.remote_field is not None:
        key = key.target_field
    if configured and not isinstance(key, models.IntegerField | models.UUIDField):
        return [
            Error(
                "A text as primary key of users could equal the id of a user of NETRA_OIDC_ISSUERS (ALIAS:sub).",
                hint="Give AUTH_USER_MODEL a number or a UUID as primary key, or do not set NETRA_OIDC_ISSUERS.",
                id="websocket_core.E011",
            )
        ]
    return []

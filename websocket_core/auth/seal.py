"""Seals a secret into a name that only this installation can open.

A session is found by its key alone, and the cookie contains that key. An identity therefore holds a sealed key. The
same key always gives the same text (AES-SIV), and without `SECRET_KEY` the text is useless.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from django.conf import settings
from django.utils.crypto import salted_hmac

_SALT = "websocket_core.auth.seal"


def _ciphers() -> Iterator[AESSIV]:
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        yield AESSIV(salted_hmac(_SALT, "", secret=secret, algorithm="sha512").digest())


def seal(secret: str) -> str:
    """The sealed form of `secret`: URL-safe text without dots and colons."""
    return urlsafe_b64encode(next(_ciphers()).encrypt(secret.encode(), None)).decode().rstrip("=")


def unseal(text: str) -> str:
    """Open a text that `seal` returned, also with one of `SECRET_KEY_FALLBACKS`.

    Raises:
        ValueError: none of the keys opens the text.
    """
    try:
        sealed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        sealed = b""
    for cipher in _ciphers():
        try:
            return cipher.decrypt(sealed, None).decode()
        except (InvalidTag, ValueError):
            continue
    raise ValueError("this was not sealed with the SECRET_KEY in use")

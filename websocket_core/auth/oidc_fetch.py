"""The public keys of an issuer: found by discovery, cached, fetched again when they are old or a token names a new one.

An issuer is asked from threads of its own, for a few seconds and a few bytes at most, and never more often than
`OIDC_REFETCH_SECONDS`, whatever tokens strangers send.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from websocket_core.auth.oidc_config import Issuer, is_safe_url
from websocket_core.conf import conf

log = logging.getLogger(__name__)

MAX_KEYS = 50  # of one issuer; work per token without `kid` grows with them
MIN_RSA_BITS = 2048
KEY_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}  # by the first letters of the algorithm

# Two of them, so that one issuer that hangs does not keep another one's users out.
_threads = ThreadPoolExecutor(2, thread_name_prefix="netra-oidc")


class PublicKey(NamedTuple):
    """A key, for one algorithm."""

    kid: str | None
    algorithm: str
    key: jwt.PyJWK


class KeysUnavailable(Exception):
    """The issuer's keys cannot be read right now."""


class Keyring:
    """The keys of one issuer. Safe to use from any thread and event loop."""

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer
        self._lock = threading.Lock()
        self._pending: Future[None] | None = None
        self._keys: tuple[PublicKey, ...] = ()
        self._loaded = self._failed = self._missed = float("-inf")  # when, on the monotonic clock

    async def find(self, kid: str | None, algorithm: str) -> list[PublicKey]:
        """Keys that may have signed a token with this header. Asks the issuer when what is known is too old.

        Raises:
            KeysUnavailable: nothing usable is known, and the issuer did not answer.
        """
        if self._age() > conf.OIDC_KEYS_SECONDS and time.monotonic() - self._failed > conf.OIDC_REFETCH_SECONDS:
            await self._refresh()
        if self._age() > conf.OIDC_KEYS_SECONDS + conf.OIDC_STALE_SECONDS:
            raise KeysUnavailable
        return [
            key
            for key in self._keys
            if key.algorithm == algorithm and (kid is None or key.kid is None or key.kid == kid)
        ]

    async def ask_again(self) -> bool:
        """A token fits no known key: has the issuer new ones? `False` when it was asked just now, and is not again."""
        now = time.monotonic()
        with self._lock:
            if now - max(self._missed, self._failed) <= conf.OIDC_REFETCH_SECONDS:
                return False
            self._missed = now
        await self._refresh()
        return True

    def _age(self) -> float:
        return time.monotonic() - self._loaded

    async def _refresh(self) -> None:
        with self._lock:
            if self._pending is None:
                self._pending = _threads.submit(self._fetch)
            pending = self._pending
        # Shielded: one client that goes away must not stop the fetch others wait for.
        await asyncio.shield(asyncio.wrap_future(pending))

    def _fetch(self) -> None:
        try:
            keys = tuple(public_keys(self._document(), self._issuer.algorithms))
            if not keys:
                raise ValueError("it has no key for the algorithms that are allowed")
        except (requests.RequestException, OSError, ValueError) as error:
            log.warning("keys of issuer %s cannot be read: %s", self._issuer.alias, error)
            with self._lock:
                self._failed, self._pending = time.monotonic(), None
        else:
            with self._lock:
                self._keys, self._loaded, self._pending = keys, time.monotonic(), None

    def _document(self) -> dict[str, Any]:
        if self._issuer.jwks_url:
            return fetch_json(self._issuer.jwks_url)
        found = fetch_json(self._issuer.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if found.get("issuer") != self._issuer.issuer:
            raise ValueError(f"discovery names another issuer, {found.get('issuer')!s:.200}")
        url = found.get("jwks_uri")
        if not isinstance(url, str) or not is_safe_url(url):
            raise ValueError("discovery names no safe jwks_uri")
        return fetch_json(url)


def public_keys(document: dict[str, Any], algorithms: Iterable[str]) -> Iterable[PublicKey]:
    """The signing keys in a JWK set that fit one of `algorithms`; what is odd, weak or secret is passed over."""
    entries = document.get("keys")
    if not isinstance(entries, list):
        raise ValueError("this is no JWK set")
    for entry in entries[:MAX_KEYS]:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        kid = entry.get("kid")
        for algorithm in algorithms:
            if entry.get("kty") != KEY_TYPES[algorithm[:2]] or entry.get("alg", algorithm) != algorithm:
                continue
            try:
                key = jwt.PyJWK(entry, algorithm)
            except (jwt.PyJWTError, ValueError, TypeError, KeyError):
                continue
            if isinstance(key.key, RSAPublicKey) and key.key.key_size < MIN_RSA_BITS:
                continue
            yield PublicKey(kid if isinstance(kid, str) else None, algorithm, key)


def fetch_json(url: str) -> dict[str, Any]:
    """One JSON object from an issuer, within `OIDC_TIMEOUT` seconds and `OIDC_MAX_BYTES`. Blocks.

    Raises:
        requests.RequestException, OSError: the answer did not come, or is not 200 (redirects are not followed).
        ValueError: it is too large, too slow, or no JSON object.
    """
    deadline = time.monotonic() + conf.OIDC_TIMEOUT
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}  # what is packed could unpack to anything
    with (
        requests.Session() as session,
        session.get(
            url,
            headers=headers,
            timeout=conf.OIDC_TIMEOUT,
            allow_redirects=False,
            stream=True,
            auth=_without_credentials,
        ) as response,
    ):
        if response.status_code != 200:
            raise ValueError(f"{url} answers with {response.status_code}")
        body = bytearray()
        while chunk := response.raw.read1(16 * 1024, decode_content=False):
            body += chunk
            if len(body) > conf.OIDC_MAX_BYTES:
                raise ValueError(f"{url} answers with more than {conf.OIDC_MAX_BYTES} bytes")
            if time.monotonic() > deadline:
                raise ValueError(f"{url} takes longer than {conf.OIDC_TIMEOUT} s")
    try:
        value = json.loads(body)
    except RecursionError:
        value = None
    if not isinstance(value, dict):
        raise ValueError(f"{url} answers with something else than a JSON object")
    return value


def _without_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keeps `requests` from adding what a .netrc file says."""
    return request

"""The public keys of an issuer: found by discovery, cached, and refetched when they are old or a token names a new one.

Each issuer is asked from a separate thread, one request at a time. A request is limited to `OIDC_TIMEOUT` seconds and a
few bytes, and there is at most one in `OIDC_REFETCH_SECONDS`, whatever tokens clients send. Each fetch ends, whatever
the issuer answers, and the next one can begin. Nothing of a failure is kept except its time.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from websocket_core.auth.oidc.config import Issuer, is_safe_url, origin_of
from websocket_core.auth.oidc.deadline import Deadline
from websocket_core.conf import conf
from websocket_core.process.log_budget import LogBudget

__all__ = ["Keyring", "KeysUnavailable", "PublicKey", "public_keys"]

log = logging.getLogger(__name__)

MAX_KEYS = 50  # of one issuer; a token without `kid` costs work for each of them
RSA_BITS = range(2048, 8192 + 1)  # shorter keys are weak, longer ones make every token expensive
KEY_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}  # by the first letters of the algorithm
STALE_WAIT = 0.5  # seconds to wait for new keys before old but usable ones serve


class PublicKey(NamedTuple):
    """A key for one algorithm."""

    kid: str | None
    algorithm: str
    key: jwt.PyJWK


class KeySet(NamedTuple):
    """Keys, and when they were loaded (on the monotonic clock), which identifies the set."""

    keys: tuple[PublicKey, ...]
    loaded: float


class KeysUnavailable(Exception):
    """The issuer's keys cannot be read at present.

    Args:
        retry_after_ms: when to try again.
    """

    def __init__(self, retry_after_ms: int) -> None:
        super().__init__(retry_after_ms)
        self.retry_after_ms = retry_after_ms


class Keyring:
    """The keys of one issuer. Safe to use from any thread and event loop."""

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer
        self._lock = threading.Lock()
        self._fetch: Future[None] | None = None  # the one in progress; never ends with an error
        self._known = KeySet((), float("-inf"))
        # When the last fetch began, when one failed, and when one was made for a token that fits no known key.
        self._begun = self._failed = self._missed = float("-inf")
        self._warnings = LogBudget()

    async def find(self, kid: str | None, algorithm: str) -> KeySet:
        """Keys that may have signed a token with this header. Asks the issuer if the known keys are too old.

        Raises:
            KeysUnavailable: no usable keys are known, and the issuer did not answer.
        """
        due = time.monotonic() - self._failed > conf.OIDC_REFETCH_SECONDS
        if self._age() > conf.OIDC_KEYS_SECONDS and (due or self._fetch is not None):
            await self._refresh(STALE_WAIT if self._usable() else conf.OIDC_TIMEOUT)
        if not self._usable():
            raise self._unavailable()
        known = self._known
        fitting = (
            key
            for key in known.keys
            if key.algorithm == algorithm and (kid is None or key.kid is None or key.kid == kid)
        )
        return KeySet(tuple(fitting), known.loaded)

    async def ask_again(self, seen: KeySet) -> bool:
        """Look for new keys, because a token fits none of those that `find` returned.

        Returns:
            Whether there are new keys. `False` also if the issuer was asked recently and is not asked again.

        Raises:
            KeysUnavailable: the issuer did not answer.
        """
        with self._lock:
            if self._known.loaded != seen.loaded:
                return True
            now = time.monotonic()
            failed = now - self._failed <= conf.OIDC_REFETCH_SECONDS
            if self._fetch is None and not failed:
                if now - self._missed <= conf.OIDC_REFETCH_SECONDS:
                    return False
                self._missed = now
        if not failed:
            await self._refresh(conf.OIDC_TIMEOUT)
        if self._known.loaded == seen.loaded:
            raise self._unavailable()
        return True

    def _age(self) -> float:
        return time.monotonic() - self._known.loaded

    def _usable(self) -> bool:
        limit: float = conf.OIDC_KEYS_SECONDS + conf.OIDC_STALE_SECONDS
        return self._age() <= limit

    def _unavailable(self) -> KeysUnavailable:
        wait = self._failed + conf.OIDC_REFETCH_SECONDS - time.monotonic()
        return KeysUnavailable(max(1000, int(wait * 1000) + 100) if wait > 0 else 1000)

    async def _refresh(self, seconds: float) -> None:
        """Fetch, or join the fetch in progress, and wait until `seconds` after it began."""
        with self._lock:
            if self._fetch is None:
                self._fetch = self._begin()
            pending, left = self._fetch, self._begun + seconds - time.monotonic()
        if pending is not None and left > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    # Shielded: a client that disconnects must not cancel the fetch for others.
                    await asyncio.shield(asyncio.wrap_future(pending))

    def _begin(self) -> Future[None] | None:
        """Start a fetch in a separate thread, so that issuers that hang do not block others."""
        future = Future[None]()
        future.set_running_or_notify_cancel()
        self._begun = time.monotonic()
        name = f"netra-oidc-{self._issuer.alias}"
        try:
            threading.Thread(target=self._work, args=(future,), name=name, daemon=True).start()
        except RuntimeError as error:  # no more threads
            self._failed = time.monotonic()
            self._warn(error)
            return None
        return future

    def _work(self, future: Future[None]) -> None:
        try:
            keys = self._read()
        except BaseException as error:  # noqa: BLE001 - includes panics of a library in Rust; the thread ends here
            self._failed = time.monotonic()
            self._warn(error)
        else:
            self._known = KeySet(keys, time.monotonic())
        finally:
            with self._lock:
                self._fetch = None
            future.set_result(None)

    def _warn(self, error: BaseException) -> None:
        held = self._warnings.take()
        if held is not None:
            log.warning(
                "keys of issuer %s cannot be read, retrying in %g s (%d more failures since the last such line): "
                "%s: %.500s",
                *(self._issuer.alias, conf.OIDC_REFETCH_SECONDS, held),
                *(type(error).__name__, str(error).encode("unicode_escape").decode()),
            )

    def _read(self) -> tuple[PublicKey, ...]:
        from websocket_core.auth.oidc.fetch import fetch_json  # needs requests, which only issuers need

        with Deadline(conf.OIDC_TIMEOUT) as deadline:
            url = self._issuer.jwks_url or self._found(fetch_json(self._issuer.discovery_url, deadline))
            document = fetch_json(url, deadline)
        keys = tuple(public_keys(document, self._issuer.algorithms))
        if not keys:
            raise ValueError("it has no key for the allowed algorithms")
        return keys

    def _found(self, found: dict[str, Any]) -> str:
        """The address of the keys, from discovery. It must be on the issuer's own origin: answers are not trusted."""
        if found.get("issuer") != self._issuer.issuer:
            raise ValueError(f"discovery names a different issuer, {found.get('issuer')!s:.200}")
        url = found.get("jwks_uri")
        if not isinstance(url, str) or not is_safe_url(url):
            raise ValueError("discovery names no safe jwks_uri")
        if origin_of(url) != origin_of(self._issuer.issuer):
            raise ValueError(
                f"discovery names keys at {url:.200}, which is not the issuer's own host. If these are its keys, set "
                f"this address as jwks_url in NETRA_OIDC_ISSUERS[{self._issuer.alias!r}]"
            )
        return url


def public_keys(document: dict[str, Any], algorithms: Iterable[str]) -> Iterable[PublicKey]:
    """The signing keys in a JWK set that fit one of `algorithms`. Malformed, weak and secret keys are skipped."""
    entries = document.get("keys")
    if not isinstance(entries, list):
        raise ValueError("this is not a JWK set")
    for entry in entries[:MAX_KEYS]:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        kid = entry.get("kid")
        for algorithm in algorithms:
            if entry.get("kty") != KEY_TYPES[algorithm[:2]] or entry.get("alg", algorithm) != algorithm:
                continue
            try:
                key = jwt.PyJWK(entry, algorithm)
            except Exception:  # noqa: BLE001, S112 - the library may raise anything for a bad key
                continue
            if isinstance(key.key, RSAPublicKey) and key.key.key_size not in RSA_BITS:
                continue
            yield PublicKey(kid if isinstance(kid, str) else None, algorithm, key)

"""ID and access tokens of configured OpenID Connect issuers, as credentials.

The user id is `ALIAS:sub`. The same subject of two issuers gives two users, and neither can be a Django user, whose ids
have no colon.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import jwt
from django.utils import timezone

from websocket_core.auth.identity import Holds, Identity
from websocket_core.auth.oidc.config import Issuer, issuers
from websocket_core.auth.oidc.keys import Keyring, KeysUnavailable
from websocket_core.errors import TokenExpired, Unauthenticated
from websocket_core.ids import USER_LENGTH, UserID
from websocket_core.process.log_budget import LogBudget

log = logging.getLogger(__name__)

LEEWAY = 10  # seconds that an issuer's clock may be ahead; it does not extend a token
# Types of tokens that identify a user. A logout token is signed by the same issuer for the same audience.
TOKEN_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt", "id+jwt"})
REQUIRED = ["exp", "iss", "aud", "sub"]

_keyrings: dict[Issuer, Keyring] = {}  # of the configured issuers
_odd = LogBudget()


async def identify(token: str) -> Identity:
    """Identify the bearer of a token. Requests the issuer's keys if needed, and nothing else.

    Raises:
        Unauthenticated: the token is not from a configured issuer, is for another audience, is not valid yet or is
            badly signed. With `undecided`, the issuer's keys are unavailable.
        TokenExpired: it was valid once.
    """
    header, claimed = _unverified(token)
    algorithm, kid = header.get("alg"), header.get("kid")
    if str(header.get("typ", "JWT")).lower() not in TOKEN_TYPES or not isinstance(kid, str | None):
        raise Unauthenticated
    for issuer in _configured():
        # The claims only select the keys to try. The keys decide.
        if issuer.issuer == claimed.get("iss") and algorithm in issuer.algorithms and _is_for(issuer, claimed):
            return _identity(issuer, await _verified(token, issuer, kid, algorithm), token)
    raise Unauthenticated


def recheck(identities: Collection[Identity]) -> dict[str, type[Unauthenticated] | Holds]:
    """Check identities of kind `oidc`, by key: the error, or that they hold."""
    now, aliases = timezone.now(), {issuer.alias for issuer in issuers()}
    verdicts: dict[str, type[Unauthenticated] | Holds] = {}
    for identity in identities:
        key = identity.credential[1]
        if key.partition(".")[0] not in aliases:
            verdicts[key] = Unauthenticated
        elif identity.expires_at is None or identity.expires_at <= now:
            verdicts[key] = TokenExpired
        else:
            verdicts[key] = Holds(identity.expires_at)
    return verdicts


def _configured() -> tuple[Issuer, ...]:
    wanted = issuers()
    for gone in _keyrings.keys() - set(wanted):
        _keyrings.pop(gone, None)
    return wanted


def _unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        parts = jwt.decode_complete(token, options={"verify_signature": False})
    except Exception:  # noqa: BLE001 - input may be anything
        raise Unauthenticated from None
    if not parts["signature"]:
        raise Unauthenticated  # no issuer needs to be asked
    return parts["header"], parts["payload"]


def _is_for(issuer: Issuer, claims: dict[str, Any]) -> bool:
    audience = claims.get("aud")
    return any(name in issuer.audiences for name in (audience if isinstance(audience, list) else [audience]))


async def _verified(token: str, issuer: Issuer, kid: str | None, algorithm: str) -> dict[str, Any]:
    """The claims, once a key of the issuer fits. Unknown keys are requested once."""
    keyring = _keyrings.setdefault(issuer, Keyring(issuer))
    try:
        for _ in range(2):
            found = await keyring.find(kid, algorithm)
            for public in found.keys:
                try:
                    return jwt.decode(
                        token,
                        key=public.key,
                        algorithms=[public.algorithm],
                        issuer=issuer.issuer,
                        audience=issuer.audiences,
                        leeway=LEEWAY,
                        options={"require": REQUIRED},
                    )
                except jwt.InvalidSignatureError:
                    if kid is not None and public.kid == kid:
                        raise  # the token names this key, so the signature is wrong
            if not await keyring.ask_again(found):
                break
    except jwt.ExpiredSignatureError:
        raise TokenExpired from None
    except KeysUnavailable as error:
        raise Unauthenticated(
            "The identity provider cannot be reached to check this token. Try again later.",
            retry_after_ms=error.retry_after_ms,
        ) from None
    except Exception as error:  # noqa: BLE001 - odd claims and keys may raise anything: not verified
        if not isinstance(error, jwt.PyJWTError | ValueError | TypeError | OverflowError) and (
            (held := _odd.take(issuer.alias)) is not None
        ):
            log.warning(
                "a token of issuer %s cannot be verified (%d more since the last such line): %r",
                *(issuer.alias, held, error),
            )
        raise Unauthenticated from None
    raise Unauthenticated


def _identity(issuer: Issuer, claims: dict[str, Any], token: str) -> Identity:
    try:
        expires_at = datetime.fromtimestamp(float(claims["exp"]), UTC)
        user_id = subject_id(issuer.alias, claims["sub"])
    except (ValueError, TypeError, OverflowError, OSError):
        raise Unauthenticated from None
    if expires_at <= datetime.now(UTC):
        raise TokenExpired  # the leeway applies only to the beginning
    return Identity(user_id, "oidc", f"{issuer.alias}.{sha256(token.encode()).hexdigest()[:32]}", expires_at)


def subject_id(alias: str, subject: str) -> UserID:
    """The user id of an issuer's subject: `ALIAS:sub`, or `ALIAS#` and a SHA-256 if that is too long for an id.

    An alias contains neither `:` nor `#`, so no two subjects share an id.

    Raises:
        ValueError: the subject is empty or contains control characters.
    """
    if not subject:
        raise ValueError("a subject needs at least one character")
    plain = f"{alias}:{subject}"
    if len(plain) <= USER_LENGTH:
        return UserID(plain)
    return UserID(f"{alias}#{sha256(subject.encode()).hexdigest()}")

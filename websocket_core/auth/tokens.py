"""First-party bearer tokens: `netra_` and 256 random bits. The database stores only a digest.

A fast hash is sufficient: 256 random bits cannot be guessed.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from datetime import timedelta
from hashlib import sha256

from django.db.models import Q
from django.utils import timezone

from websocket_core.auth.accounts import chunks, is_inactive, users_by_id
from websocket_core.auth.identity import Holds, Identity
from websocket_core.conf import conf
from websocket_core.errors import SessionRevoked, TokenExpired, Unauthenticated
from websocket_core.ids import UserID
from websocket_core.models import AccessToken

PREFIX = "netra_"
LABEL_LENGTH = 100
ENDED_KEPT = 100


def digest(text: str) -> str:
    """The digest that the database stores for a token or ticket: SHA-256, hexadecimal."""
    return sha256(text.encode(errors="surrogatepass")).hexdigest()


def default_ttl() -> timedelta:
    """How long a token is valid by default (`NETRA_TOKEN_DAYS`, 30)."""
    return timedelta(days=conf.TOKEN_DAYS)


def issue(user_id: str, ttl: timedelta | None = None, label: str = "") -> tuple[str, AccessToken]:
    """Create a token for `user_id`, which need not be a Django user. Its text is returned only here.

    Args:
        user_id: the user that the token stands for.
        ttl: how long it is valid; `None` means `default_ttl()`.
        label: tells tokens apart, for people; cut to 100 characters.

    Returns:
        The token's text and its row.

    Raises:
        ValueError: `user_id` is invalid or a deactivated user's, or `ttl` is not above zero, or too long.
    """
    owner = UserID(user_id)
    if is_inactive(users_by_id([owner]).get(owner)):
        raise ValueError("this user is deactivated; reactivate the user first")
    ttl = default_ttl() if ttl is None else ttl
    if ttl <= timedelta(0):
        raise ValueError("a token must be valid for more than 0 seconds")
    now = timezone.now()
    try:
        expires_at = now + ttl
    except OverflowError:
        raise ValueError("a token cannot be valid for that long") from None
    text = PREFIX + secrets.token_urlsafe(32)
    token = AccessToken.objects.create(
        user_id=owner, digest=digest(text), label=label[:LABEL_LENGTH], created_at=now, expires_at=expires_at
    )
    return text, token


def revoke(token: AccessToken) -> None:
    """Revoke a token and close its sockets. Revoking it again changes nothing."""
    if token.revoked_at is None:
        token.revoked_at = timezone.now()
        token.save(update_fields=["revoked_at"])


def count_valid(user_id: str) -> int:
    """The number of valid tokens of this user."""
    ended = Q(expires_at__lte=timezone.now())
    return AccessToken.objects.filter(user_id=user_id, revoked_at=None).exclude(ended).count()


def forget_ended(user_id: str) -> None:
    """Delete a user's ended tokens except the newest, which lists still show.

    Without this, a user who creates and revokes tokens could fill the table that every token check reads.
    """
    ended = Q(revoked_at__isnull=False) | Q(expires_at__lte=timezone.now())
    rows = AccessToken.objects.filter(ended, user_id=user_id).order_by("-pk").values_list("pk", flat=True)
    if old := list(rows[ENDED_KEPT : 2 * ENDED_KEPT]):
        AccessToken.objects.filter(pk__in=old).delete()


def identify_first_party(text: str) -> Identity:
    """The identity for a first-party token. Reads the database.

    Raises:
        Unauthenticated: the token is unknown, expired or revoked, or its user is deactivated.
    """
    token = AccessToken.objects.filter(digest=digest(text)).first()
    if token is None:
        raise Unauthenticated
    verdict = _judge([token])[str(token.pk)]
    if not isinstance(verdict, Holds):
        raise verdict
    return Identity(UserID(token.user_id), "token", str(token.pk), token.expires_at)


def recheck(identities: Collection[Identity]) -> dict[str, type[Unauthenticated] | Holds]:
    """Check identities of kind `token`, by key: the error, or that they hold. A few queries for thousands of keys."""
    owners = {identity.credential[1]: str(identity.user_id) for identity in identities}
    tokens: list[AccessToken] = []
    for piece in chunks(owners):
        tokens += AccessToken.objects.filter(pk__in=piece)
    verdicts = _judge(token for token in tokens if token.user_id == owners[str(token.pk)])
    return {key: verdicts.get(key, SessionRevoked) for key in owners}


def _judge(tokens: Iterable[AccessToken]) -> dict[str, type[Unauthenticated] | Holds]:
    """The verdicts, by the text of the primary key."""
    tokens, now = list(tokens), timezone.now()
    users = users_by_id(token.user_id for token in tokens)
    verdicts: dict[str, type[Unauthenticated] | Holds] = {}
    for token in tokens:
        if token.revoked_at is not None or is_inactive(users.get(token.user_id)):
            verdicts[str(token.pk)] = SessionRevoked
        elif token.expires_at is not None and token.expires_at <= now:
            verdicts[str(token.pk)] = TokenExpired
        else:
            verdicts[str(token.pk)] = Holds(token.expires_at)
    return verdicts

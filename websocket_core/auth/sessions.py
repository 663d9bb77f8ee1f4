"""Django sessions as credentials: from a session key to a user, for one handshake or for thousands of sockets.

This follows the rules of `django.contrib.auth.get_user`, but does not call it. That function checks one session at a
time,
and it flushes or renames a session that it distrusts. A handshake must not do that, because the browser would not learn
the new name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, load_backend
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from websocket_core.auth.accounts import chunks, is_inactive, users_by_id
from websocket_core.auth.identity import Holds, Identity
from websocket_core.auth.seal import seal, unseal
from websocket_core.errors import SessionRevoked, TokenExpired, Unauthenticated
from websocket_core.ids import UserID

MIN_KEY = 8  # characters; Django accepts no shorter session key


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A session with a logged-in user. `expires_at` is `None` if the store cannot tell."""

    user: AbstractBaseUser
    expires_at: datetime | None


# Either a valid session or the error to raise.
Verdict = LiveSession | type[Unauthenticated]


def identify_session(session_key: str) -> Identity:
    """The identity for a session cookie's value. Reads the database.

    Raises:
        Unauthenticated: there is no such session, it has no logged-in user, or it is no longer valid.
    """
    verdict = judge([session_key])[session_key]
    if not isinstance(verdict, LiveSession):
        # An unknown key may have ended or may never have existed. To say "revoked" would be a guess.
        raise verdict() if verdict is not Missing else Unauthenticated()
    return Identity(
        UserID(str(verdict.user.pk)), "session", f"{seal(session_key)}.{_mark(verdict.user)}", verdict.expires_at
    )


def recheck(identity_keys: Collection[str]) -> dict[str, type[Unauthenticated] | Holds]:
    """Check keys of session identities: the error, or until when each holds. A few queries for thousands of keys."""
    opened: dict[str, str] = {}
    for identity_key in identity_keys:
        try:
            opened[identity_key] = unseal(identity_key.partition(".")[0])
        except ValueError:
            continue
    verdicts = judge(set(opened.values()))
    return {key: _change(key, verdicts.get(opened.get(key, ""))) for key in identity_keys}


def _change(identity_key: str, verdict: Verdict | None) -> type[Unauthenticated] | Holds:
    if not isinstance(verdict, LiveSession):
        return verdict or SessionRevoked
    if not constant_time_compare(identity_key.partition(".")[2], _mark(verdict.user)):
        return SessionRevoked
    return Holds(verdict.expires_at)


class Missing(SessionRevoked):
    """There is no session with this key, or it has no logged-in user."""


def judge(session_keys: Collection[str]) -> dict[str, Verdict]:
    """Judge sessions as `django.contrib.auth.get_user` does. Reads the database.

    The authentication backend must be configured, the user must exist and be active, and the password must not have
    changed since the session began.
    """
    contents = {key: (data, end) for key, data, end in _load(filter(_is_possible, session_keys))}
    users = _users(data for data, _ in contents.values() if _names_user(data))
    now = timezone.now()
    verdicts: dict[str, Verdict] = dict.fromkeys(session_keys, Missing)
    for key, (data, expires_at) in contents.items():
        if not _names_user(data):
            continue
        user = users.get((data[BACKEND_SESSION_KEY], data[SESSION_KEY]))
        if expires_at is not None and expires_at <= now:
            verdicts[key] = TokenExpired
        elif user is None or is_inactive(user) or not _same_password(data, user):
            verdicts[key] = SessionRevoked
        else:
            verdicts[key] = LiveSession(user, expires_at)
    return verdicts


def _is_possible(session_key: str) -> bool:
    """Whether Django can have issued this key. PostgreSQL refuses a query that contains NUL."""
    return len(session_key) >= MIN_KEY and session_key.isascii() and session_key.isprintable()


def _names_user(data: dict[str, Any]) -> bool:
    return bool(data.get(SESSION_KEY)) and data.get(BACKEND_SESSION_KEY) in settings.AUTHENTICATION_BACKENDS


def _load(session_keys: Iterable[str]) -> Iterator[tuple[str, dict[str, Any], datetime | None]]:
    """The contents of existing sessions. Those in the database are read together, those elsewhere one by one."""
    store: type[SessionBase] = import_module(settings.SESSION_ENGINE).SessionStore
    if issubclass(store, DatabaseStore):
        # `cached_db` too: if row and cache differ, the row is right.
        rows, decode = store.get_model_class().objects, store().decode
        for piece in chunks(session_keys):
            found = rows.filter(session_key__in=piece).values_list("session_key", "session_data", "expire_date")
            for key, text, expires_at in found:
                yield key, decode(text), expires_at
        return
    for key in session_keys:
        if data := store(key).load():
            yield key, data, None


def _users(sessions: Iterable[dict[str, Any]]) -> dict[tuple[str, str], AbstractBaseUser | None]:
    """The users of sessions, by backend and id.

    A custom backend is called for each user. For Django's own backend, all users are read in one query.
    """
    wanted = {(data[BACKEND_SESSION_KEY], data[SESSION_KEY]) for data in sessions}
    plain = {path for path, _ in wanted if getattr(type(load_backend(path)), "get_user", None) is ModelBackend.get_user}
    known = users_by_id(user_id for path, user_id in wanted if path in plain)
    return {
        (path, user_id): known.get(user_id) if path in plain else load_backend(path).get_user(user_id)
        for path, user_id in wanted
    }


def _same_password(data: dict[str, Any], user: AbstractBaseUser) -> bool:
    if not hasattr(user, "get_session_auth_hash"):
        return True  # a custom user model without passwords
    stored = data.get(HASH_SESSION_KEY, "")
    hashes = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return any(constant_time_compare(stored, current) for current in hashes)


def _mark(user: AbstractBaseUser) -> str:
    """A digest that changes with the password. A session survives the change; its open sockets must not."""
    return sha256(b"netra.password:" + str(getattr(user, "password", "")).encode()).hexdigest()[:32]

"""Django sessions as credentials: from the cookie's key to a user, for one handshake or for thousands of sockets.

`django.contrib.auth.get_user` is not used: it judges one session a time, and it flushes or renames a session that it
distrusts, which a handshake must not do (the browser would not learn of the new name). The rules are the same.
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

MIN_KEY = 8  # characters; Django takes nothing shorter for a session's key


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A session that proves a user, and when it ends if the store can tell."""

    user: AbstractBaseUser
    expires_at: datetime | None


# What is wrong with a session, as the error to raise.
Verdict = LiveSession | type[Unauthenticated]


def identify_session(session_key: str) -> Identity:
    """The identity behind the session cookie's value. Reads the database.

    Raises:
        Unauthenticated: there is no such session, nobody is logged in with it, or it is no longer valid.
    """
    verdict = judge([session_key])[session_key]
    if not isinstance(verdict, LiveSession):
        # A key that is not there was either ended or never given out; saying "revoked" would be a guess.
        raise verdict() if verdict is not Missing else Unauthenticated()
    return Identity(
        UserID(str(verdict.user.pk)), "session", f"{seal(session_key)}.{_mark(verdict.user)}", verdict.expires_at
    )


def recheck(identity_keys: Collection[str]) -> dict[str, type[Unauthenticated] | Holds]:
    """For keys of session identities: what is wrong by now, or until when they hold. A few queries for thousands."""
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
    """There is no session of this key, or nobody is logged in with it."""


def judge(session_keys: Collection[str]) -> dict[str, Verdict]:
    """Judge sessions as `django.contrib.auth.get_user` does. Reads the database.

    The backend must be configured, the user there and active, the password the one the session began with.
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
    """Whether Django can have given this key out. PostgreSQL does not even take the question for a NUL."""
    return len(session_key) >= MIN_KEY and session_key.isascii() and session_key.isprintable()


def _names_user(data: dict[str, Any]) -> bool:
    return bool(data.get(SESSION_KEY)) and data.get(BACKEND_SESSION_KEY) in settings.AUTHENTICATION_BACKENDS


def _load(session_keys: Iterable[str]) -> Iterator[tuple[str, dict[str, Any], datetime | None]]:
    """The contents of the sessions that exist; those in the database all at once, those elsewhere one by one."""
    store: type[SessionBase] = import_module(settings.SESSION_ENGINE).SessionStore
    if issubclass(store, DatabaseStore):
        # `cached_db` too: when row and cache differ, the row is the truth.
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

    A backend with ideas of its own is asked user by user; for Django's own, all are read at once.
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
        return True  # a user model of its own kind, without passwords
    stored = data.get(HASH_SESSION_KEY, "")
    hashes = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return any(constant_time_compare(stored, current) for current in hashes)


def _mark(user: AbstractBaseUser) -> str:
    """Changes with the password: a session that lived through a change keeps its user, but not its open sockets."""
    return sha256(b"netra.password:" + str(getattr(user, "password", "")).encode()).hexdigest()[:32]

"""The names of channel groups: one for the news of an owner's threads, one for the sockets of an actor.

Today an owner is one user and both are the same group, so a connection joins one. Callers say which of the two they
mean, so that a connection can join the groups of several owners one day.

Channels allows ASCII letters, digits, `-`, `_`, `.` and fewer than 100 characters, while real ids hold `|`, `@`,
unicode and 255 characters. Cleaning an id up could merge two users; a hash of its bytes cannot (256 bits).
"""

from __future__ import annotations

from hashlib import sha256

_present: dict[str, str] = {}  # the owners of whose threads a connection here hears, and their groups: every batch asks


def group_of_owner(owner_id: str) -> str:
    """The group that hears of an owner's threads (70 characters)."""
    return _present.get(owner_id) or _name(owner_id)


def group_of_actor(user_id: str) -> str:
    """The group of the sockets that an actor has opened (70 characters)."""
    return _present.get(user_id) or _name(user_id)


def arrived(owner_id: str) -> None:
    """A connection here hears of this owner's threads."""
    _present[owner_id] = _name(owner_id)


def left(owner_id: str) -> None:
    """None does any more: nothing of the owner stays here."""
    _present.pop(owner_id, None)


def _name(some_id: str) -> str:
    return f"netra.{sha256(some_id.encode()).hexdigest()}"

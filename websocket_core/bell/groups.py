"""The names of channel groups: one group for the news of an owner's threads, one for the sockets of an actor.

Today an owner is a single user and both groups are the same, so a connection joins one group. Callers nevertheless say
which of the two they mean, so that a connection can join the groups of several owners one day.

Channels allows ASCII letters, digits, `-`, `_` and `.`, and fewer than 100 characters. Real ids contain `|`, `@` or
other Unicode and have up to 255 characters. Replacing characters could merge two users. A hash of the bytes (256 bits)
cannot.
"""

from __future__ import annotations

from hashlib import sha256

_present: dict[str, str] = {}  # owner → group, for owners with a connection here: every batch looks them up


def group_of_owner(owner_id: str) -> str:
    """The group for news of an owner's threads (70 characters)."""
    return _present.get(owner_id) or _name(owner_id)


def group_of_actor(user_id: str) -> str:
    """The group of all sockets that an actor has opened (70 characters)."""
    return _present.get(user_id) or _name(user_id)


def arrived(owner_id: str) -> None:
    """Called when the first connection here listens to this owner's threads."""
    _present[owner_id] = _name(owner_id)


def left(owner_id: str) -> None:
    """Called when the last such connection is gone. Nothing of the owner is kept."""
    _present.pop(owner_id, None)


def _name(some_id: str) -> str:
    return f"netra.{sha256(some_id.encode()).hexdigest()}"

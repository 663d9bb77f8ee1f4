"""From a user id to the name of that user's channel group.

Channels allows ASCII letters, digits, `-`, `_`, `.` and fewer than 100 characters, while real user ids hold `|`, `@`,
unicode and 255 characters. Cleaning an id up could merge two users; a hash of its bytes cannot (256 bits).
"""

from __future__ import annotations

from hashlib import sha256

_present: dict[str, str] = {}  # the users who are connected here, and their groups: each of their batches asks


def user_group(user_id: str) -> str:
    """The legal, collision-free group name of a user (70 characters). Who has left leaves no trace here."""
    return _present.get(user_id) or f"netra.{sha256(user_id.encode()).hexdigest()}"


def arrived(user_id: str) -> None:
    """The user has a connection here."""
    _present[user_id] = user_group(user_id)


def left(user_id: str) -> None:
    """The user has none any more."""
    _present.pop(user_id, None)

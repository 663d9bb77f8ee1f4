"""From a user id to the name of that user's channel group.

Channels allows ASCII letters, digits, `-`, `_`, `.` and fewer than 100 characters, while real user ids hold `|`, `@`,
unicode and 255 characters. Cleaning an
id up could merge two users; a hash of its bytes cannot (256 bits).
"""

from __future__ import annotations

from hashlib import sha256


def user_group(user_id: str) -> str:
    """The legal, collision-free group name of a user (70 characters). Kept nowhere: who has left leaves no trace."""
    return "netra." + sha256(user_id.encode()).hexdigest()

"""From a user id to the name of that user's channel group.

Channels allows ASCII letters, digits, `-`, `_`, `.` and fewer than 100 characters, while real user ids hold `|`, `@`,
unicode and 255 characters. Cleaning an
id up could merge two users; a hash of its bytes cannot (256 bits).
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256


@lru_cache(1024)  # those who are active: each of their batches asks
def user_group(user_id: str) -> str:
    """The legal, collision-free group name of a user (70 characters)."""
    return "netra." + sha256(user_id.encode()).hexdigest()

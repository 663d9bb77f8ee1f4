"""Rings for credentials: "look at this user's credentials now", to every process that has connections of the user."""

from __future__ import annotations

from websocket_core.bell.announcer import announce as ring
from websocket_core.bell.announcer import announcer
from websocket_core.bell.groups import user_group

CREDENTIALS_MESSAGE = "netra.credentials"


def announce(user_id: str, *, after: float = 0.0) -> None:
    """Say soon that credentials of this user may have changed. Never raises, never waits.

    Args:
        user_id: whose.
        after: seconds to hold it back, for a change that is about to happen.
    """
    ring(user_group(user_id), {"type": CREDENTIALS_MESSAGE, "user_id": user_id}, after=after)


__all__ = ["CREDENTIALS_MESSAGE", "announce", "announcer"]

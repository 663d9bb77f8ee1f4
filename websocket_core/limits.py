"""How fast a user may act, over all sockets of this process.

A token bucket that is full again is as good as none, so it is forgotten: memory stays with those who act. It outlives
the socket, so that reconnecting does not
help.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from websocket_core.conf import conf


class ActionLimiter:
    """Token buckets by user: `ACTIONS_PER_SECOND` sustained, bursts of `ACTIONS_BURST`.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._empty_until: dict[str, float] = {}  # when the bucket would be full again; absent: it is full
        self._swept = 0.0

    def take(self, user_id: str) -> int | None:
        """Take one action.

        Returns:
            `None` when it may go on, else the milliseconds after which to try again.
        """
        now = self._clock()
        rate: float = conf.ACTIONS_PER_SECOND
        burst: int = conf.ACTIONS_BURST
        full_at = max(self._empty_until.get(user_id, now), now) + 1 / rate
        if full_at - now > burst / rate:
            return max(1, round((full_at - now - burst / rate) * 1000))
        self._empty_until[user_id] = full_at
        if now - self._swept > 10:
            self._swept = now
            for name in [name for name, at in self._empty_until.items() if at <= now]:
                del self._empty_until[name]
        return None


action_limiter = ActionLimiter()

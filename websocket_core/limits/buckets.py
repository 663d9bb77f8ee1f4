"""Token buckets by user.

A full bucket needs no memory, so it is forgotten: only active users take memory. A bucket outlives the socket, so
reconnecting does not help a user.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextvars import Context
from typing import NamedTuple
from weakref import WeakSet

SWEEP_SECONDS = 10.0


class Pace(NamedTuple):
    """The rate that a bucket allows.

    Args:
        rate: tokens per second; 0 or less means no limit.
        burst: tokens at once, after a pause.
    """

    rate: float
    burst: float


class Limiter:
    """Token buckets by user.

    Args:
        name: what is limited; part of the bucket's name in Redis.
        pace: returns the current limits. Called every time.
        clock: returns seconds, monotonic.

    Attributes:
        on_take: is called with the limiter, the user and the cost of each admitted action.
    """

    def __init__(self, name: str, pace: Callable[[], Pace], clock: Callable[[], float] = time.monotonic) -> None:
        self.name, self.pace = name, pace
        self.on_take: Callable[[Limiter, str, float], None] | None = None
        self._clock = clock
        self._full_at: dict[str, float] = {}  # when the bucket will be full again; absent if it is full
        self._sweeping: WeakSet[asyncio.AbstractEventLoop] = WeakSet()
        self._swept = 0.0

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, user_id: str, cost: float = 1) -> int | None:
        """Take tokens. A cost above the burst has to wait for a full bucket.

        Returns:
            `None` if the action is admitted, otherwise the milliseconds to wait before trying again.
        """
        rate, burst = self.pace()
        if rate <= 0:
            return None
        now = self._clock()
        full_at = max(self._full_at.get(user_id, now), now) + cost / rate
        excess = full_at - now - max(burst, cost) / rate
        if excess > 1e-9:
            return max(1, round(excess * 1000))
        self._note(user_id, full_at, now, cost)
        return None

    def charge(self, user_id: str, cost: float) -> None:
        """Take tokens for an admitted action that turned out to cost more. A shortage delays the next action."""
        rate, _ = self.pace()
        if rate > 0 and cost > 0:
            now = self._clock()
            self._note(user_id, max(self._full_at.get(user_id, now), now) + cost / rate, now, cost)

    def learn(self, user_id: str, seconds: float) -> None:
        """Accept that all processes together have used the bucket: it will be full in `seconds`, not before."""
        if seconds > 0:
            self._full_at[user_id] = self._clock() + seconds

    def forget(self) -> None:
        """Make every bucket full."""
        self._full_at.clear()

    def _note(self, user_id: str, full_at: float, now: float, cost: float) -> None:
        self._full_at[user_id] = full_at
        self._sweep(now)
        if self.on_take is not None:
            self.on_take(self, user_id, cost)

    def _sweep(self, now: float) -> None:
        if now - self._swept > SWEEP_SECONDS:
            self._swept = now
            for user_id in [user_id for user_id, at in self._full_at.items() if at <= now]:
                del self._full_at[user_id]
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if loop not in self._sweeping:  # without further actions, nothing else would remove the last buckets
            self._sweeping.add(loop)
            loop.call_later(SWEEP_SECONDS + 1, self._sweep_again, loop, context=Context())

    def _sweep_again(self, loop: asyncio.AbstractEventLoop) -> None:
        self._sweeping.discard(loop)
        if self._full_at:
            self._swept = 0.0
            self._sweep(self._clock())

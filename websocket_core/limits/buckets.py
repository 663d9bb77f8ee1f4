"""Token buckets by user.

A bucket that is full again is as good as none, so it is forgotten: memory stays with those who act. It outlives the
socket, so that reconnecting does not help.
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
    """What a bucket allows.

    Args:
        rate: how many a second, for ever; 0 or less means no limit.
        burst: how many at once, after a pause.
    """

    rate: float
    burst: float


class Limiter:
    """Token buckets by user.

    Args:
        name: of what is limited; part of the bucket's name where processes share it.
        pace: what is allowed, asked every time.
        clock: seconds, monotonic.

    Attributes:
        on_take: told of every user whose action was let through, and of what it cost.
    """

    def __init__(self, name: str, pace: Callable[[], Pace], clock: Callable[[], float] = time.monotonic) -> None:
        self.name, self.pace = name, pace
        self.on_take: Callable[[Limiter, str, float], None] | None = None
        self._clock = clock
        self._full_at: dict[str, float] = {}  # when the bucket would be full again; absent: it is full
        self._sweeping: WeakSet[asyncio.AbstractEventLoop] = WeakSet()
        self._swept = 0.0

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, user_id: str, cost: float = 1) -> int | None:
        """Take so many; what costs more than a burst has to wait for a full bucket.

        Returns:
            `None` when it may go on, else the milliseconds after which to try again.
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
        """Take what an admitted action turned out to cost; what is not there yet delays the next one."""
        rate, _ = self.pace()
        if rate > 0 and cost > 0:
            now = self._clock()
            self._note(user_id, max(self._full_at.get(user_id, now), now) + cost / rate, now, cost)

    def learn(self, user_id: str, seconds: float) -> None:
        """All processes together have taken so much that the bucket will be full in `seconds`, not before."""
        if seconds > 0:
            self._full_at[user_id] = self._clock() + seconds

    def forget(self) -> None:
        """Every bucket is full."""
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
        if loop not in self._sweeping:  # when everybody has gone, nobody acts who would take the last ones along
            self._sweeping.add(loop)
            loop.call_later(SWEEP_SECONDS + 1, self._sweep_again, loop, context=Context())

    def _sweep_again(self, loop: asyncio.AbstractEventLoop) -> None:
        self._sweeping.discard(loop)
        if self._full_at:
            self._swept = 0.0
            self._sweep(self._clock())

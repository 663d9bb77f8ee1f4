"""Shares the limiters' buckets between processes, through Redis.

Actions never wait for this. A process admits actions by what it knows and reports them to Redis a moment later. The
answer says how much all processes together have used. If they admitted too much in the meantime, the user pays for it
afterwards,
so the rate holds in the long run, however many processes serve the user. Nothing is reserved, so a killed process takes
no tokens with it, and every key expires by itself. While Redis is unavailable, each process limits by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final

from websocket_core.bell import group_of_actor
from websocket_core.conf import conf
from websocket_core.limits.buckets import Limiter
from websocket_core.process.background import Outage, repeat
from websocket_core.process.tasks import process_task

log = logging.getLogger(__name__)

SHARE_SECONDS = 0.5  # how often a process reports what it admitted
HURRY = 8  # a cost of 1/HURRY of the burst is reported at once
IDLE_SECONDS = 10.0  # after this, the connection is closed
TIMEOUT = 2.0
BATCH = 500  # buckets in one call
MAX_DEBT = 10.0  # seconds: the longest additional wait after too much was admitted

# KEYS: buckets. ARGV, for each: milliseconds to add, and the most it may be ahead. Returns how far each is ahead.
SCRIPT: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answer = {}
for index, key in ipairs(KEYS) do
    local full_at = math.max(tonumber(redis.call('GET', key) or '0') or 0, now) + tonumber(ARGV[2 * index - 1])
    full_at = math.min(full_at, now + tonumber(ARGV[2 * index]))
    local ahead = math.max(1, math.ceil(full_at - now))
    redis.call('SET', key, string.format('%.3f', full_at), 'PX', ahead)
    answer[index] = ahead
end
return answer
"""


Call = Callable[[Sequence[str], Sequence[float]], Awaitable[Sequence[int]]]  # the script: keys, numbers -> ahead


class LimitSharing:
    """Collects what the limiters of one event loop have admitted, and reports it from a task.

    The task lives while there is something to report, and a little longer.
    """

    def __init__(self) -> None:
        self._untold: dict[tuple[Limiter, str], float] = {}
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._idle = 0.0  # seconds without anything to report
        self._outage = Outage(log, "sharing of limits", "each process limits by itself")

    def note(self, limiter: Limiter, user_id: str, cost: float = 1) -> None:
        """Add an admitted cost of the user to the next report."""
        self._untold[limiter, user_id] = untold = self._untold.get((limiter, user_id), 0) + cost
        if untold * HURRY >= limiter.pace().burst:
            self._hurry.set()
        if self._task is None or self._task.done():
            self._task = process_task(self._work(), "netra-limits")

    async def stop(self) -> None:
        """End the task. What has not been reported is lost."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _work(self) -> None:
        # Only a process that shares needs redis-py; the check of NETRA_REDIS_URL says so where it is missing.
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        client: Any = Redis.from_url(
            conf.REDIS_URL,
            max_connections=1,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            retry=Retry(NoBackoff(), 1),  # reopen a connection that Redis closed, once
        )
        script = client.register_script(SCRIPT)
        step = partial(self._share, lambda keys, numbers: script(keys=keys, args=numbers))
        self._idle = 0.0
        try:
            await repeat(self._outage, step, active=lambda: self._idle < IDLE_SECONDS)
        finally:
            await client.aclose()

    async def _share(self, call: Call) -> None:
        try:
            async with asyncio.timeout(SHARE_SECONDS):
                await self._hurry.wait()
        except TimeoutError:
            pass
        self._hurry.clear()
        self._idle = 0.0 if self._untold else self._idle + SHARE_SECONDS
        await self._tell(call)

    async def _tell(self, call: Call) -> None:
        untold, self._untold = list(self._untold.items()), {}
        for begin in range(0, len(untold), BATCH):
            part = [(key, count, key[0].pace()) for key, count in untold[begin : begin + BATCH]]
            part = [item for item in part if item[2].rate > 0]
            numbers: list[float] = []
            for _, count, (rate, burst) in part:
                empty = burst / rate
                numbers += [count / rate * 1000, (empty + min(empty, MAX_DEBT)) * 1000]
            answer = await call([_name(limiter, user_id) for (limiter, user_id), _, _ in part], numbers)
            for (key, _, pace), ahead in zip(part, answer, strict=True):
                key[0].learn(key[1], ahead / 1000 + self._untold.get(key, 0) / pace.rate)


def _name(limiter: Limiter, user_id: str) -> str:
    # The braces keep all buckets of an installation on one node of a cluster, so that one call can reach them.
    return f"{{{conf.REDIS_PREFIX}.limits}}.{limiter.name}.{group_of_actor(user_id)}"

"""Rings for credentials: "look at this user's credentials now", from any thread, to every process, without waiting.

It only makes things fast. A ring may get lost (no Redis, full queue, killed process): every process looks at the
credentials of its connections every few seconds anyway.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
import time

from channels.layers import get_channel_layer

from websocket_core.groups import user_group

log = logging.getLogger(__name__)

CREDENTIALS_MESSAGE = "netra.credentials"
MAX_WAITING = 10_000  # users to ring for; past that rings are dropped
SEND_TIMEOUT = 5.0  # seconds; a channel layer that hangs
EXIT_SECONDS = 2.0  # what is still waiting when the process ends gets this long


class Announcer:
    """Sends rings from a thread of its own.

    Views run in threads, commands without an event loop, consumers inside one. Each `async_to_sync` would open
    connections to Redis for its own short-lived loop; one loop that stays needs one connection, however many rings.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._waiting: dict[str, float] = {}  # user id: not before (monotonic); a user waits once
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._wake = asyncio.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._warned = False

    def ring(self, user_id: str, *, after: float = 0.0) -> None:
        """Announce soon that credentials of this user may have changed. Never raises, never waits.

        Args:
            user_id: whose.
            after: seconds to hold it back, for a change that is about to happen.
        """
        try:
            with self._lock:
                if self._pid != os.getpid():  # a forked process has the object without its thread
                    self._reset()
                if len(self._waiting) >= MAX_WAITING:
                    return
                due = time.monotonic() + after
                self._waiting[user_id] = max(due, self._waiting.get(user_id, due))
                self._idle.clear()
                if self._loop is None:
                    self._start()
                elif not self._loop.is_closed():
                    self._loop.call_soon_threadsafe(self._wake.set)
        except RuntimeError as error:  # the interpreter is on its way out and makes no more threads
            log.debug("no ring for a change of credentials: %s", error)

    def flush(self, seconds: float) -> bool:
        """Wait until all that was rung is sent or given up; `False` when it takes longer than that."""
        return self._idle.wait(seconds)

    def close(self) -> None:
        """Send what waits, within bounds, and end the thread. A later ring starts a new one."""
        self.flush(EXIT_SECONDS)
        with self._lock:
            loop, thread = self._loop, self._thread
            self._reset()
        if loop is not None and thread is not None and thread.is_alive():
            loop.call_soon_threadsafe(loop.stop)
            thread.join(EXIT_SECONDS)

    def _start(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._wake = asyncio.Event()
        self._wake.set()
        self._thread = threading.Thread(
            target=self._run, args=(self._loop, self._wake), name="netra-announce", daemon=True
        )
        self._thread.start()

    def _run(self, loop: asyncio.AbstractEventLoop, wake: asyncio.Event) -> None:
        work = loop.create_task(self._work(wake))
        try:
            loop.run_forever()
        finally:
            work.cancel()
            loop.run_until_complete(asyncio.gather(work, return_exceptions=True))
            loop.close()  # the channel layer closes its connections of this loop with it

    async def _work(self, wake: asyncio.Event) -> None:
        while True:
            pause = self._next_due()
            try:
                async with asyncio.timeout(pause):
                    await wake.wait()
            except TimeoutError:
                pass
            wake.clear()
            for user_id in self._due():
                await self._send(user_id)
            with self._lock:
                if not self._waiting:
                    self._idle.set()

    def _next_due(self) -> float | None:
        with self._lock:
            return max(0.0, min(self._waiting.values()) - time.monotonic()) if self._waiting else None

    def _due(self) -> list[str]:
        now = time.monotonic()
        with self._lock:
            users = [user_id for user_id, due in self._waiting.items() if due <= now]
            for user_id in users:
                del self._waiting[user_id]
            return users

    async def _send(self, user_id: str) -> None:
        group = user_group(user_id)
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                await get_channel_layer().group_send(
                    group, {"type": CREDENTIALS_MESSAGE, "user_id": user_id, "group": group}
                )
            self._warned = False
        except Exception as error:  # noqa: BLE001 - whatever a channel layer raises, the ring is lost and heals
            if not self._warned:  # once per outage
                self._warned = True
                log.warning(
                    "channel layer unavailable (%s: %s); changed credentials are noticed some seconds later",
                    type(error).__name__,
                    error,
                )


announcer = Announcer()
atexit.register(announcer.close)


def announce(user_id: str, *, after: float = 0.0) -> None:
    """See `Announcer.ring`."""
    announcer.ring(user_id, after=after)

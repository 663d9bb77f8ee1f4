"""Group messages from synchronous code and from event loops that end, sent by a thread with a loop of its own.

A ring only makes things fast. It may get lost (no Redis, full queue, killed process): whoever listens also looks by
itself every few seconds. Of a message that nobody would look for the sender is told whether it was sent.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from functools import partial
from typing import Any

from channels.layers import get_channel_layer
from django.db import transaction

from websocket_core.process.background import Outage, repeat
from websocket_core.process.lifecycle import lifecycle

log = logging.getLogger(__name__)

MAX_WAITING = 10_000  # groups to ring; past that rings are dropped
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
        # (group, type) -> (not before, monotonic; message): the same ring waits once
        self._waiting: dict[tuple[str, str], tuple[float, dict[str, Any]]] = {}
        self._letters: deque[tuple[str, dict[str, Any], Future[bool]]] = deque()  # every one of them is sent
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._wake = asyncio.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._outage = Outage(log, "channel layer", "what is rung for is noticed some seconds later")

    def ring(self, group: str, message: dict[str, Any], *, after: float = 0.0) -> None:
        """Send a message to a group soon. Never raises, never waits.

        Args:
            group: to whom.
            message: with its `type`; while one of this type waits for the group, a newer one takes its place.
            after: seconds to hold it back, for a change that is about to happen.
        """
        try:
            with self._lock:
                self._begin()
                if len(self._waiting) >= MAX_WAITING:
                    return
                due = time.monotonic() + after
                key = (group, message["type"])
                earlier = self._waiting.get(key)
                self._waiting[key] = (max(due, earlier[0]) if earlier else due, {**message, "group": group})
                self._awake()
        except RuntimeError as error:  # the interpreter is on its way out and makes no more threads
            log.debug("no ring: %s", error)

    def send(self, group: str, message: dict[str, Any]) -> Future[bool]:
        """Send each message to a group, in order; the future tells whether the channel layer took it.

        For event loops that may end before a message of theirs is sent. Never waits.
        """
        future: Future[bool] = Future()
        try:
            with self._lock:
                self._begin()
                if len(self._letters) >= MAX_WAITING:
                    future.set_result(False)
                    return future
                self._letters.append((group, {**message, "group": group}, future))
                self._awake()
        except RuntimeError as error:  # see `ring`
            log.debug("nothing is sent: %s", error)
            future.set_result(False)
        return future

    def flush(self, seconds: float) -> bool:
        """Wait until all that was rung is sent or given up; `False` when it takes longer than that."""
        return self._idle.wait(seconds)

    def close(self) -> None:
        """Send what waits, within bounds, and end the thread. A later ring starts a new one."""
        self.flush(EXIT_SECONDS)
        with self._lock:
            loop, thread, letters = self._loop, self._thread, self._letters
            self._reset()
        for _, _, future in letters:
            _settle(future, sent=False)
        if loop is not None and thread is not None and thread.is_alive():
            loop.call_soon_threadsafe(loop.stop)
            thread.join(EXIT_SECONDS)

    def _begin(self) -> None:
        if self._pid != os.getpid():  # a forked process has the object without its thread
            self._reset()

    def _awake(self) -> None:
        self._idle.clear()
        if self._loop is None or self._loop.is_closed():  # closed: its thread ended, whatever ended it
            self._start()
        else:
            self._loop.call_soon_threadsafe(self._wake.set)

    def _start(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._wake = asyncio.Event()
        self._wake.set()
        self._thread = threading.Thread(
            target=self._run, args=(self._loop, self._wake), name="netra-announce", daemon=True
        )
        self._thread.start()

    def _run(self, loop: asyncio.AbstractEventLoop, wake: asyncio.Event) -> None:
        work = loop.create_task(repeat(Outage(log, "announcer"), partial(self._work, wake)))
        try:
            loop.run_forever()
        finally:
            work.cancel()
            loop.run_until_complete(asyncio.gather(work, return_exceptions=True))
            loop.close()  # the channel layer closes its connections of this loop with it

    async def _work(self, wake: asyncio.Event) -> None:
        pause = self._next_due()
        try:
            async with asyncio.timeout(pause):
                await wake.wait()
        except TimeoutError:
            pass
        wake.clear()
        try:
            while self._letters:
                group, message, future = self._letters.popleft()
                _settle(future, sent=await self._send(group, message))
            for group, message in self._due():
                await self._send(group, message)
        finally:
            with self._lock:
                if not self._waiting and not self._letters:
                    self._idle.set()

    async def _send(self, group: str, message: dict[str, Any]) -> bool:
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                await get_channel_layer().group_send(group, message)
        except Exception as error:  # noqa: BLE001 - whatever a channel layer raises; the sender is told
            self._outage.note(error)
            return False
        self._outage.over()
        return True

    def _next_due(self) -> float | None:
        with self._lock:
            return max(0.0, min(due for due, _ in self._waiting.values()) - time.monotonic()) if self._waiting else None

    def _due(self) -> list[tuple[str, dict[str, Any]]]:
        now = time.monotonic()
        with self._lock:
            keys = [key for key, (due, _) in self._waiting.items() if due <= now]
            return [(key[0], self._waiting.pop(key)[1]) for key in keys]


def _settle(future: Future[bool], *, sent: bool) -> None:
    with suppress(InvalidStateError):  # whoever waited has gone
        future.set_result(sent)


announcer = Announcer()
atexit.register(announcer.close)
lifecycle.on_end(announcer.close)


def announce(group: str, message: dict[str, Any], *, after: float = 0.0) -> None:
    """See `Announcer.ring`; see `_when_committed`."""
    _when_committed(partial(announcer.ring, group, message, after=after))


def tell(group: str, message: dict[str, Any]) -> None:
    """See `Announcer.send`; see `_when_committed`."""
    _when_committed(partial(announcer.send, group, message))


def _when_committed(send: Callable[[], object]) -> None:
    """Within a transaction, whoever began it (a view under `ATOMIC_REQUESTS`, too), once that is committed: what is
    told has happened.
    """
    database = transaction.get_connection()
    if database.in_atomic_block:
        database.on_commit(send, robust=True)
    else:
        send()

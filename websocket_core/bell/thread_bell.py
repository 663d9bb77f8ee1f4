"""The bell of synchronous code, and of event loops that may end before their news is sent.

Views run in threads, and commands run without an event loop. Each `async_to_sync` would open connections to Redis for
its own short-lived loop. A permanent loop in a separate thread needs one connection, however often the bell rings.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from functools import partial

from websocket_core.bell.bell import CLOSE_SECONDS, Bell, new_outage
from websocket_core.bell.news import News
from websocket_core.database.home import connection, on_commit
from websocket_core.process.lifecycle import lifecycle


class ThreadBell:
    """A bell whose event loop runs in a separate thread, which starts when the bell first rings."""

    def __init__(self) -> None:
        self.outage = new_outage()
        self._forget()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bell: Bell | None = None
        self._thread: threading.Thread | None = None

    @property
    def bell(self) -> Bell:
        """The bell to ring. If its thread has ended for whatever reason, a new one is started."""
        with self._lock:
            if self._bell is None or self._thread is None or not self._thread.is_alive():
                self._loop = asyncio.new_event_loop()
                self._bell = Bell(self._loop, self.outage)
                self._thread = threading.Thread(
                    target=_run, args=(self._loop, self._bell), name="netra-bell", daemon=True
                )
                try:
                    self._thread.start()
                except RuntimeError:  # the interpreter is shutting down and starts no more threads
                    self._loop.close()  # a bell without a loop gives up at once
            return self._bell

    @property
    def waiting(self) -> int:
        """The number of news not sent yet."""
        return self._bell.waiting if self._bell is not None else 0

    def flush(self, seconds: float) -> bool:
        """Wait until nothing waits any more. Returns `False` if that takes longer than `seconds`."""
        bell = self._bell
        try:
            if bell is not None:
                bell.flushed().result(seconds)
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Send what waits within `CLOSE_SECONDS`, and end the thread. The next ring starts a new one."""
        self.flush(CLOSE_SECONDS)
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._bell = self._thread = None
        self.outage = new_outage()
        if loop is not None and thread is not None and thread.is_alive():
            loop.call_soon_threadsafe(loop.stop)
            thread.join(CLOSE_SECONDS)


def _run(loop: asyncio.AbstractEventLoop, bell: Bell) -> None:
    try:
        loop.run_forever()
        loop.run_until_complete(_end_tasks())
    finally:
        loop.close()  # the channel layer then closes its connections of this loop
        bell.give_up()


async def _end_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


thread_bell = ThreadBell()
atexit.register(thread_bell.close)
lifecycle.on_end(thread_bell.close)
os.register_at_fork(after_in_child=thread_bell._forget)  # a forked process inherits the object, but not its thread


def ring_after_commit(news: News, *, after: float = 0.0) -> None:
    """Ring from synchronous code. Inside a transaction, the bell rings once that transaction has committed.

    It does not matter who began the transaction, for example a view under `ATOMIC_REQUESTS`: news is only about what
    has happened.

    Args:
        news: what happened, and to which user.
        after: seconds; see `Bell.ring`.
    """
    if connection.in_atomic_block:
        on_commit(partial(_ring, news, after), robust=True)
    else:
        _ring(news, after)


def _ring(news: News, after: float) -> None:
    thread_bell.bell.ring(news, after=after)

"""The one crossing into threads for database work.

Channels' own bridge sends every call through one shared thread, where a slow query of one user stalls everybody, and
hops to it for every message. Here readers have a small pool and the journal's writer one thread of its own; each thread
keeps its connection, closes it when it is unusable, and gives it back when the process ends or a test asks for it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import InterfaceError, OperationalError, connection, connections

from websocket_core.conf import conf

T = TypeVar("T")

OUTAGE = (OperationalError, InterfaceError)  # what a database that is away, or was, looks like


class DatabaseThreads:
    """Threads with a database connection each.

    Args:
        name: prefix of the threads' names.
        size: gives the number of threads (asked when they are made), thus of database connections.
    """

    def __init__(self, name: str, size: Callable[[], int]) -> None:
        self._name, self._wanted, self._size = name, size, 0
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def _executor(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._size = self._wanted()
                self._pool = ThreadPoolExecutor(self._size, thread_name_prefix=self._name)
            return self._pool

    def call(self, function: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """Run `function(*args)` in one of the threads; a future of the running loop.

        A broken connection is closed, so that the next call opens a new one; the error is the caller's to see.
        """
        return asyncio.get_running_loop().run_in_executor(self._executor(), _guarded, function, args)

    def submit(self, function: Callable[..., T], *args: Any) -> Future[T]:
        """The same, for code without an event loop."""
        return self._executor().submit(_guarded, function, args)

    def close(self) -> None:
        """Wait for what runs, close the threads' connections, end the threads. They come back when needed."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is None:
            return
        barrier = threading.Barrier(self._size)

        def leave() -> None:
            connections.close_all()
            barrier.wait(10)  # keeps this thread busy until every other one has closed, too

        for future in [pool.submit(leave) for _ in range(self._size)]:
            future.result(15)
        pool.shutdown()


def _guarded(function: Callable[..., T], args: tuple[Any, ...]) -> T:
    try:
        return function(*args)
    except OUTAGE:
        _close_broken()
        raise
    except StopIteration as error:  # a future cannot carry it: whoever awaits would wait for ever
        raise RuntimeError("a database function raised StopIteration") from error


def _close_broken() -> None:
    for one in connections.all(initialized_only=True):
        if not one.in_atomic_block:
            one.close()


def _once_more(function: Callable[..., T], args: tuple[Any, ...]) -> T:
    """In the same thread: after a restart of the database every thread's connection is broken."""
    try:
        return function(*args)
    except OUTAGE:
        _close_broken()
        return function(*args)


readers = DatabaseThreads("netra-read", lambda: conf.DB_THREADS)
writer = DatabaseThreads("netra-write", lambda: 1)
_beside = DatabaseThreads("netra-beside", lambda: 1)


async def read(function: Callable[..., T], *args: Any) -> T:
    """Run a reading function in a database thread.

    A connection that broke while idle is replaced and the call repeated once.
    """
    return await readers.call(_once_more, function, args)


def read_now(function: Callable[..., T], *args: Any, seconds: float = 5.0) -> T:
    """The same for code that cannot await: it blocks the calling thread.

    Raises:
        TimeoutError: the database did not answer within so many seconds.
    """
    future: Future[T] = readers.submit(_once_more, function, args)
    return future.result(seconds)


def write(function: Callable[..., T], *args: Any) -> asyncio.Future[T]:
    """Run a writing function that is not the journal's, in a thread of its own: nobody's events wait behind it.

    SQLite has one writer at a time, and a connection that does not get the lock asks again after pauses of up to
    100 ms. There the journal's own thread is the shorter wait. It gets one such function at a time, so that a batch of
    events waits for one of them at most, however many are queued. Hence a function must be short on every database:
    what grows with the data is done in pages, each a call of its own.
    """
    if connection.vendor == "sqlite":
        return _beside.call(_in_the_writer_s_turn, function, args)
    return _beside.call(function, *args)


def _in_the_writer_s_turn(function: Callable[..., T], args: tuple[Any, ...]) -> T:
    return writer.submit(function, *args).result()


def close_all() -> None:
    """End all database threads and close their connections (tests, end of a process)."""
    readers.close()
    _beside.close()  # before the writer: it may wait for it
    writer.close()

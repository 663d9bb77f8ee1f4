"""Runs database work in threads.

Channels' own bridge sends every call through one shared thread, where one user's slow query stalls everybody. Here
readers have a small pool, and the journal's writer has a thread of its own. Each thread keeps its connection and closes
it when it is broken, when the process ends or when a test asks for it.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import InterfaceError, OperationalError, connections

from websocket_core.conf import conf
from websocket_core.database.home import connection

T = TypeVar("T")

OUTAGE = (OperationalError, InterfaceError)  # errors of a database that is or was unavailable


class ThreadsEnded(RuntimeError):
    """The process is ending, and its database threads take no more work."""


class DatabaseThreads:
    """Threads with one database connection each.

    Args:
        name: prefix of the threads' names.
        size: returns the number of threads, and so of database connections. Called when the threads are created.
    """

    def __init__(self, name: str, size: Callable[[], int]) -> None:
        self._name, self._wanted, self._size = name, size, 0
        self._forget()
        os.register_at_fork(after_in_child=self._forget)  # a forked process has the pool without its threads

    def _forget(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def _executor(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._size = self._wanted()
                self._pool = ThreadPoolExecutor(self._size, thread_name_prefix=self._name)
            return self._pool

    def call(self, function: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """Run `function(*args)` in one of the threads and return a future of the running loop.

        A broken connection is closed, so that the next call opens a new one. The error is raised in the caller.
        """
        return asyncio.get_running_loop().run_in_executor(self._executor(), _guarded, function, args)

    def submit(self, function: Callable[..., T], *args: Any) -> Future[T]:
        """Run `function(*args)` in one of the threads, for code without an event loop.

        Raises:
            ThreadsEnded: too late.
        """
        try:
            return self._executor().submit(_guarded, function, args)
        except RuntimeError as error:
            raise ThreadsEnded(str(error)) from None

    def close(self) -> None:
        """Wait for running functions, close the connections and end the threads. The next call starts new ones."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is None:
            return
        barrier = threading.Barrier(self._size)

        def leave() -> None:
            connections.close_all()
            barrier.wait(10)  # keeps this thread busy until all the others have closed their connections

        for future in [pool.submit(leave) for _ in range(self._size)]:
            future.result(15)
        pool.shutdown()


def _guarded(function: Callable[..., T], args: tuple[Any, ...]) -> T:
    try:
        return function(*args)
    except OUTAGE:
        _close_broken()
        raise
    except StopIteration as error:  # a future cannot carry it: the caller would wait for ever
        raise RuntimeError("a database function raised StopIteration") from error


def _close_broken() -> None:
    for one in connections.all(initialized_only=True):
        if not one.in_atomic_block:
            one.close()


def _once_more(function: Callable[..., T], args: tuple[Any, ...]) -> T:
    """Repeat a failed call once, in the same thread: after a database restart, every thread's connection is broken."""
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

    If the connection broke while it was idle, the call is repeated once on a new one.
    """
    return await readers.call(_once_more, function, args)


def read_now(function: Callable[..., T], *args: Any, seconds: float = 5.0) -> T:
    """Run a reading function for code that cannot await. It blocks the calling thread.

    Raises:
        TimeoutError: the database did not answer within `seconds`.
    """
    future: Future[T] = readers.submit(_once_more, function, args)
    return future.result(seconds)


def write(function: Callable[..., T], *args: Any) -> asyncio.Future[T]:
    """Run a writing function outside the journal, in a separate thread, so that no events wait behind it.

    SQLite has one writer at a time, and a connection that does not get the lock retries after pauses of up to 100 ms.
    On SQLite the function therefore runs in the journal's own thread, where the wait is shorter. The journal's thread
    gets one such function at a time, so that a batch of events waits for one of them at most. A function must be short
    on every database: work that grows with the data is done in pages, with one call each.
    """
    if connection.vendor == "sqlite":
        return _beside.call(_in_the_writer_s_turn, function, args)
    return _beside.call(function, *args)


def write_now(function: Callable[..., T], *args: Any, seconds: float = 30.0) -> T:
    """The same for code that cannot await: it blocks the calling thread.

    Raises:
        TimeoutError: the database did not answer within so many seconds.
    """
    threads = writer if connection.vendor == "sqlite" else _beside
    return threads.submit(function, *args).result(seconds)


def _in_the_writer_s_turn(function: Callable[..., T], args: tuple[Any, ...]) -> T:
    return writer.submit(function, *args).result()


def close_all() -> None:
    """End all database threads and close their connections. For tests and for the end of a process."""
    readers.close()
    _beside.close()  # before the writer, because this thread may be waiting for it
    writer.close()

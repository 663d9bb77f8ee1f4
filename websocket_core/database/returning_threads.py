"""Threads for other people's code that may use the ORM: each use gives the thread's database connections back.

Django closes connections, or gives them back to their pool, when a request ends. In a thread without requests nobody
does: it would keep a connection for ever, one of a pool's few, and a broken one, after a restart of the database, just
as long.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import connections

T = TypeVar("T")

log = logging.getLogger(__name__)


class ReturningThreads(ThreadPoolExecutor):
    """A thread pool whose threads hold no database connection before and after each use."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """See `concurrent.futures.Executor`."""
        return super().submit(returning, fn, *args, **kwargs)


def returning(function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Call a function; the database connections it opens in this thread are given back when it is over."""
    return_connections()
    try:
        return function(*args, **kwargs)
    except StopIteration as error:  # a future cannot carry it: whoever awaits would wait for ever
        raise RuntimeError("a function in a thread raised StopIteration") from error
    finally:
        return_connections()


def return_connections() -> None:
    """Give every database connection of this thread back. What is left in a transaction is rolled back."""
    for connection in connections.all(initialized_only=True):
        if connection.allow_thread_sharing:  # a test's, which it lends to threads
            continue
        left_open = connection.in_atomic_block
        try:
            connection.close()
        except Exception as error:  # noqa: BLE001 - it may be broken in any way; the thread must go on without it
            log.info("a database connection could not be closed: %s: %s", type(error).__name__, error)
            left_open = True
        if left_open:  # Django's object believes to be in a transaction for ever
            del connections[connection.alias]


def return_idle_connections() -> None:
    """Give back the connections of this thread on which nothing is under way: it is about to wait for a person."""
    for connection in connections.all(initialized_only=True):
        if connection.allow_thread_sharing or connection.in_atomic_block or connection.connection is None:
            continue
        if connection.vendor == "postgresql" and connection.get_autocommit() and not _has_cursors(connection):
            connection.close()


def _has_cursors(connection: Any) -> bool:
    """Whether the code is in the middle of `QuerySet.iterator()`, whose rows live in the session."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_cursors WHERE is_holdable LIMIT 1")
            return cursor.fetchone() is not None
    except Exception:  # noqa: BLE001 - it is broken: nothing is under way on it
        return False

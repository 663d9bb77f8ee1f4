"""Threads for third-party code that may use the ORM. Each use returns the thread's database connections.

Django closes connections, or returns them to their pool, when a request ends. A thread without requests would keep its
connection for ever, even if it is one of a pool's few, or if a restart of the database has broken it.
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
    """Call a function, then return the database connections that it opened in this thread."""
    return_connections()
    try:
        return function(*args, **kwargs)
    except StopIteration as error:  # a future cannot carry it: the caller would wait for ever
        raise RuntimeError("a function in a thread raised StopIteration") from error
    finally:
        return_connections()


def return_connections() -> None:
    """Return every database connection of this thread. An open transaction is rolled back."""
    for connection in connections.all(initialized_only=True):
        if connection.allow_thread_sharing:  # a test's connection, shared with threads
            continue
        left_open = connection.in_atomic_block
        try:
            connection.close()
        except Exception as error:  # noqa: BLE001 - it may be broken in any way; the thread continues without it
            log.info("a database connection could not be closed: %s: %s", type(error).__name__, error)
            left_open = True
        if left_open:  # Django's object would stay in the transaction for ever
            del connections[connection.alias]


def return_idle_connections() -> None:
    """Return the idle connections of this thread, which is about to wait for a person."""
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
    except Exception:  # noqa: BLE001 - it is broken, so nothing is in progress on it
        return False

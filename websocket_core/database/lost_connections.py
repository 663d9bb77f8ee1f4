"""Database connections of threads that nobody tidies up: they go back to their pool when the thread ends, and a broken
one is given up at its first error.

A thread may end without having closed its connection: one that an agent started by itself, or one of a library's. The
pool never hears of it, and counts the connection as lent for ever; some such threads later nobody gets one any more.

A thread that lasts, of a pool that an agent's module keeps, would have a connection that a restart of the database
broke for as long: Django looks at connections when a request begins, and there is none.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from django.db import InterfaceError, OperationalError

log = logging.getLogger(__name__)

_here = threading.local()


def watch(connection: Any, **_: Any) -> None:
    """Receiver of Django's `connection_created`: remember what this thread has borrowed, and see to its end."""
    if give_up_when_broken not in connection.execute_wrappers:
        # The first place: the last one is whoever's that uses `execute_wrapper` right now, and takes it away again.
        connection.execute_wrappers.insert(0, give_up_when_broken)
    if getattr(connection.connection, "_pool", None) is None:
        return
    if not hasattr(_here, "borrowed"):
        _here.borrowed = _Borrowed()
    _here.borrowed.connections[connection.alias] = connection


def give_up_when_broken(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    """A wrapper of Django's around every statement: the one after an error that ended the connection gets another."""
    try:
        return execute(sql, params, many, context)
    except (OperationalError, InterfaceError):
        connection = context["connection"]
        if not connection.in_atomic_block and getattr(connection.connection, "closed", False):
            connection.close()  # in a transaction, `atomic` does it
        raise


class _Borrowed:
    """Django's connections of a thread. It dies with the thread, in the thread."""

    def __init__(self) -> None:
        self.connections: dict[str, Any] = {}  # by alias

    def __del__(self) -> None:
        for connection in self.connections.values():
            lent = connection.connection
            # Looked at here, not at the pool's side: what went back may have been lent to another thread by now.
            if lent is None or connection.closed_in_transaction or connection.allow_thread_sharing:
                continue
            try:
                connection.connection = None
                lent._pool.putconn(lent)
            except Exception as error:  # noqa: BLE001 - the thread ends; there is nobody to tell
                log.debug("the connection of a thread that ended cannot be given back: %s", error)

"""Cleans up database connections of threads that do not close them.

A connection returns to its pool when its thread ends. A broken connection is closed at its first error.

A thread may end without closing its connection, for example one that an agent or a library started. The pool never
learns of it and counts the connection as lent for ever. After some such threads, the pool is empty.

A long-lived thread, for example in a pool of an agent's module, would keep a connection that a restart of the database
has broken. Django checks connections only when a request begins, and such a thread has no requests.
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
    """Receiver of Django's `connection_created`: remember what this thread has borrowed, to return it when it ends."""
    if give_up_when_broken not in connection.execute_wrappers:
        # Inserted first, because `execute_wrapper` appends its wrapper and later removes the last one.
        connection.execute_wrappers.insert(0, give_up_when_broken)
    if getattr(connection.connection, "_pool", None) is None:
        return
    if not hasattr(_here, "borrowed"):
        _here.borrowed = _Borrowed()
    _here.borrowed.connections[connection.alias] = connection


def give_up_when_broken(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
    """A Django execute wrapper. If an error ended the connection, the next statement gets a new one."""
    try:
        return execute(sql, params, many, context)
    except (OperationalError, InterfaceError):
        connection = context["connection"]
        if not connection.in_atomic_block and getattr(connection.connection, "closed", False):
            connection.close()  # in a transaction, `atomic` closes it
        raise


class _Borrowed:
    """The Django connections of a thread. This object is deleted when the thread ends, in that thread."""

    def __init__(self) -> None:
        self.connections: dict[str, Any] = {}  # by alias

    def __del__(self) -> None:
        for connection in self.connections.values():
            lent = connection.connection
            # Check Django's object, not the pool: a returned connection may already have been lent to another thread.
            if lent is None or connection.closed_in_transaction or connection.allow_thread_sharing:
                continue
            try:
                connection.connection = None
                lent._pool.putconn(lent)
            except Exception as error:  # noqa: BLE001 - the thread ends; nothing can handle the error
                log.debug("the connection of a thread that ended cannot be returned: %s", error)

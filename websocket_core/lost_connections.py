"""Database connections of threads that end go back to their pool.

A thread may end without having closed its connection: one that an agent started by itself, or one of a library's. The
pool never hears of it, and counts the connection as lent for ever; some such threads later nobody gets one any more.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

log = logging.getLogger(__name__)

_here = threading.local()


def watch(connection: Any, **_: Any) -> None:
    """Receiver of Django's `connection_created`: remember what this thread has borrowed."""
    if getattr(connection.connection, "_pool", None) is None:
        return
    if not hasattr(_here, "borrowed"):
        _here.borrowed = _Borrowed()
    _here.borrowed.connections[connection.alias] = connection


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

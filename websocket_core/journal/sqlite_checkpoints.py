"""Moves SQLite's write-ahead log into the database file next to the commits instead of during one of them.

By default, SQLite does this inside the commit that makes the log long enough, and everybody's events wait for some
milliseconds. Here a reader's thread does it once a second while there are commits, and commits continue in the
meantime.
Commits never pause, so some of the log can remain. SQLite moves that part itself (`wal_autocheckpoint`), but by then it
is short.
"""

from __future__ import annotations

import asyncio
import logging
import time

from websocket_core.database import db
from websocket_core.database.home import connection
from websocket_core.process.background import Outage

log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0


class Checkpoints:
    """Decides when to move the log: one move at a time, and only for a database that has such a log."""

    def __init__(self) -> None:
        self._wanted: bool | None = None  # not asked yet
        self._next = 0.0  # time.monotonic()
        self._under_way: asyncio.Future[None] | None = None
        self._outage = Outage(log, "checkpoint", "SQLite moves its log within a commit instead")

    def committed(self) -> None:
        """Called after a commit: starts to move the log if it is time. Does not wait."""
        if self._wanted is None:
            self._wanted = connection.vendor == "sqlite"
        if not self._wanted or self._under_way is not None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY_SECONDS
        with self._outage.outlived():  # the commit is done, even if this fails
            self._under_way = db.readers.call(_checkpoint)
            self._under_way.add_done_callback(self._done)

    async def flush(self) -> None:
        """Wait for the move in progress, if there is one."""
        if self._under_way is not None:
            await asyncio.wait([self._under_way])

    def _done(self, future: asyncio.Future[None]) -> None:
        self._under_way = None
        if not future.cancelled() and (error := future.exception()) is not None:
            self._outage.note(error)  # the next move includes what this one left
        else:
            self._outage.over()


def _checkpoint() -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")

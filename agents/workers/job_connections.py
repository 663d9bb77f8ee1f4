"""The connections of a worker to its queue of jobs, which recover at once after an outage of the database.

psycopg checks a connection before it lends it, and pauses after each dead one: for 1, 2 and 4 s. After a restart of the
database all of them are dead, and a worker would see no jobs for that long.
"""

from __future__ import annotations

import time
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool


class JobConnections(AsyncConnectionPool[AsyncConnection[Any]]):
    """A pool that never lends a dead connection, and discards dead ones without a pause."""

    def __init__(self, *args: Any, check: object = None, **options: Any) -> None:
        super().__init__(*args, **options)  # without psycopg's check

    async def getconn(self, timeout: float | None = None) -> AsyncConnection[Any]:
        """See psycopg. Each iteration removes a dead connection, so there are at most as many as connections."""
        until = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            connection = await super().getconn(max(0.0, until - time.monotonic()))
            try:
                await self.check_connection(connection)
            except BaseException as error:
                await self.putconn(connection)  # which replaces it
                if not isinstance(error, Exception):
                    raise
            else:
                return connection

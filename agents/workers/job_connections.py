"""The connections of a worker to its queue of jobs, which are all good again at once after the database was away.

psycopg's own check of a connection, before it is lent, pauses after each one that has died: 1, 2 and 4 s. After a
restart of the database all of them have, and for so long a worker would see no job.
"""

from __future__ import annotations

import time
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool


class JobConnections(AsyncConnectionPool[AsyncConnection[Any]]):
    """A pool that lends no dead connection, and throws them away one after the other without a pause."""

    def __init__(self, *args: Any, check: object = None, **options: Any) -> None:
        super().__init__(*args, **options)  # without a check of psycopg's

    async def getconn(self, timeout: float | None = None) -> AsyncConnection[Any]:
        """See psycopg. Each turn takes a dead connection away, so there are no more turns than connections."""
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

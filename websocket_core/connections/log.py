"""The rows of connections, written in batches through the journal.

For 1,000 sockets that come and go in a second, this takes a few statements.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

from websocket_core.connections.connection import WebSocketConnection
from websocket_core.connections.places import earlier_connections
from websocket_core.database.home import connection as database
from websocket_core.database.stored_text import exact, fitting
from websocket_core.ids import NAME_LENGTH, USER_LENGTH
from websocket_core.journal import Journal, Operation, Transaction
from websocket_core.models import Connection
from websocket_core.process.heartbeat import this_process
from websocket_core.process.tasks import process_task


class _WriteConnections(Operation[None]):
    """Writes whatever the log has collected when the transaction begins."""

    __slots__ = ("_log",)

    def __init__(self, connection_log: ConnectionLog) -> None:
        super().__init__(patient=True)
        self._log = connection_log

    def apply(self, transaction: Transaction) -> None:
        batch = self._log.batch
        if batch.opened:
            Connection.objects.bulk_create(batch.opened, ignore_conflicts=True)
            this_process.beat(transaction.now)  # connections count only while their process has a heartbeat
        if batch.threads:  # usually one each: the ORM would delay other users' events
            with database.cursor() as cursor:
                cursor.executemany(
                    "UPDATE websocket_core_connection SET thread_id = %s WHERE connection_id = %s",
                    [(thread_id, connection_id) for connection_id, thread_id in batch.threads.items()],
                )
        for code, ids in batch.by_close().items():
            Connection.objects.filter(pk__in=ids).update(
                disconnected_at=transaction.now, last_seen_at=transaction.now, close_code=code
            )
        if batch.opened:
            transaction.at_end.append(batch.count)


class _Batch:
    def __init__(self) -> None:
        self.opened: list[Connection] = []
        self.earlier: dict[str, int] = {}  # connection id → connections that its user already had
        self.threads: dict[str, str] = {}
        self.closed: dict[str, int | None] = {}

    def __bool__(self) -> bool:
        return bool(self.opened or self.threads or self.closed)

    def count(self) -> None:
        self.earlier = earlier_connections(self.opened)

    def by_close(self) -> dict[int | None, list[str]]:
        found = defaultdict(list)
        for connection_id, code in self.closed.items():
            found[code].append(connection_id)
        return found


class ConnectionLog:
    """Collects changes of connections and writes them.

    Only one write is in progress at a time. The next one includes everything collected in the meantime.

    Args:
        journal: commits the rows.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self.batch = _Batch()  # the batch being written
        self._next = _Batch()
        self._write: asyncio.Task[None] | None = None
        self._waiters: list[asyncio.Future[None]] = []

    async def opened(self, connection: WebSocketConnection) -> int:
        """Record a new connection, and wait until its row is committed.

        Returns:
            How many open connections the user already had, over all processes.
        """
        written = self._next
        written.opened.append(
            Connection(
                # A row that cannot be stored would break every connection of this batch.
                connection_id=exact(connection.connection_id, "connection_id", NAME_LENGTH),
                user_id=exact(connection.user_id, "user_id", USER_LENGTH),
                thread_id=exact(connection.thread_id, "thread_id", NAME_LENGTH),
                process_id=this_process.process_id,
                credential=exact(connection.identity.kind if connection.identity else "code", "credential", 16),
                client=fitting(connection.client, "client", 200),
                connected_at=connection.connected_at,
                last_seen_at=connection.last_seen_at,
            )
        )
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(future)
        self._start()
        await future
        return written.earlier[connection.connection_id]

    def thread(self, connection_id: str, thread_id: str) -> None:
        """Record in which thread a connection works."""
        self._next.threads[connection_id] = exact(thread_id, "thread_id", NAME_LENGTH)
        self._start()

    def closed(self, connection_id: str, code: int | None) -> None:
        """Record that a connection is gone."""
        self._next.closed[connection_id] = code if code is None or 0 <= code < 1 << 16 else None
        self._start()

    async def flush(self) -> None:
        """Wait until everything recorded so far is written."""
        while self._write is not None:
            await asyncio.wait([self._write])

    def _start(self) -> None:
        if self._write is None:
            self._write = process_task(self._work(), "netra-connection-log")

    async def _work(self) -> None:
        try:
            while self._next:
                self.batch, self._next = self._next, _Batch()
                waiters, self._waiters = self._waiters, []
                error: Exception | None = None
                try:
                    await self._journal.submit(_WriteConnections(self))
                except Exception as problem:  # noqa: BLE001 - raised in the waiters
                    error = problem
                for waiter in waiters:
                    _settle(waiter, error)
        finally:
            self._write = None
            for waiter in self._waiters:
                waiter.cancel()
            self._waiters.clear()


def _settle(waiter: asyncio.Future[Any], error: Exception | None) -> None:
    if waiter.done():
        return
    if error is None:
        waiter.set_result(None)
    else:
        waiter.set_exception(error)

"""The periodic checks of a process with connections, in few queries.

They cover changed threads, credentials, requests of operators and the process's own heartbeat. They make up for what
the channel layer lost: a last message, an outage of Redis, a revocation that was never announced.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from itertools import islice

from websocket_core.bell import group_of_owner
from websocket_core.conf import conf
from websocket_core.connections.connection import WebSocketConnection
from websocket_core.connections.delivery_lag import DeliveryLag
from websocket_core.connections.watch.credential_watch import CredentialWatch
from websocket_core.connections.watch.watched import Connections
from websocket_core.database import db
from websocket_core.journal import epoch
from websocket_core.journal import reading as journal_read
from websocket_core.models import Connection
from websocket_core.process.background import Outage, repeat
from websocket_core.process.heartbeat import look_after_processes, this_process
from websocket_core.process.tasks import process_task
from websocket_core.wire import Closing, close_codes

log = logging.getLogger(__name__)

Heads = dict[tuple[str, str], int]  # (owner_id, thread_id) -> last_seq

News = dict[str, list[tuple[str, int]]]  # owner_id -> its changed threads, and their heads
# News waits this long for a hint that is on its way. Otherwise every check would read events that arrive anyway.
HINT_SECONDS = 0.1
OWNERS_PAGE = 500  # owners per query
OVERLAP = timedelta(seconds=15)  # a commit may happen this long after its timestamp


class Watchdog:
    """Runs while an event loop has connections.

    Args:
        watched: the connections.
    """

    def __init__(self, watched: Connections) -> None:
        self._watched = watched
        self._lag = DeliveryLag()
        self._hurry = asyncio.Event()
        self._credentials = CredentialWatch(watched, self._close)
        self._since = datetime.now(UTC)
        self._heads: Heads = {}  # heads that were reported to the connections; later connections have read them
        self._looked = self._asked = self._beat = float("-inf")
        self._closing: set[asyncio.Task[None]] = set()
        # One for each check, so that a failing check does not stop the others.
        self._rung_outage = Outage(log, "watchdog, credentials that changed")
        self._close_outage = Outage(log, "watchdog, connections to close")
        self._credentials_outage = Outage(log, "watchdog, credentials")
        self._moved_outage = Outage(log, "watchdog, threads that moved")
        self._heartbeat_outage = Outage(log, "watchdog, heartbeat")
        self._epoch_outage = Outage(log, "watchdog, epoch")

    def credentials_changed(self, group: str) -> None:
        """Check now: the credentials of this group's user may have changed."""
        self._credentials.rang(group)
        self._hurry.set()

    def close_asked(self) -> None:
        """Check now: an operator wants connections closed."""
        self._asked = float("-inf")
        self._hurry.set()

    async def run(self) -> None:
        """Check once per `WATCHDOG_SECONDS` and when the bell rings. Outages of the database are waited out."""
        # Runs separately: a channel layer or a writer that hangs must not keep ended credentials open.
        tending = process_task(repeat(Outage(log, "watchdog, tending"), self._tend), "netra-watchdog-tend")
        try:
            self._since = datetime.now(UTC)
            await repeat(Outage(log, "watchdog"), self._look)
        finally:
            self._heads = {}  # no connection is left, and no user's data is kept
            for task in (tending, *self._closing):
                task.cancel()
            await asyncio.gather(tending, *self._closing, return_exceptions=True)

    async def _look(self) -> None:
        """Wait for the next second or a ring, then run the checks that are due."""
        try:
            async with asyncio.timeout(conf.WATCHDOG_SECONDS):
                await self._hurry.wait()
        except TimeoutError:
            pass
        self._hurry.clear()
        with self._rung_outage.outlived():
            await self._credentials.answer()
        now = time.monotonic()
        if now - self._asked >= conf.CREDENTIAL_CHECK_SECONDS:
            self._asked = now
            with self._close_outage.outlived():
                await self._close_as_asked()
        if now - self._looked >= conf.WATCHDOG_SECONDS:
            self._looked = now
            with self._credentials_outage.outlived():
                await self._credentials.look()
            with self._moved_outage.outlived():
                await self._look_for_moved()

    async def _tend(self) -> None:
        """Run the checks that may have to wait for others."""
        await asyncio.sleep(conf.WATCHDOG_SECONDS)
        now = time.monotonic()
        if now - self._beat >= conf.HEARTBEAT_SECONDS:
            self._beat = now
            with self._heartbeat_outage.outlived():
                await self._heartbeat()
            with self._epoch_outage.outlived():
                await self._look_at_epoch()
        await self._watched.rejoin()

    async def _look_for_moved(self) -> None:
        """Look for changed threads of this process's owners. A query for all would grow with the installation."""
        started, heads = datetime.now(UTC), Heads()
        owners = iter(self._watched.owners())
        while page := list(islice(owners, OWNERS_PAGE)):
            news, found = await db.read(_moved_since, self._since - OVERLAP, self._heads, page)
            heads |= found
            if news:
                asyncio.get_running_loop().call_later(HINT_SECONDS, self._tell, news)
        self._heads, self._since = heads, started

    def _tell(self, news: News) -> None:
        for owner_id, threads in news.items():
            for connection in self._watched.of_group(group_of_owner(owner_id)):
                try:
                    for thread_id, last_seq in threads:
                        connection.moved((owner_id, thread_id), last_seq)
                except Exception:  # an error of one connection must not affect others
                    log.exception("connection %s could not process a changed thread", connection.connection_id)

    async def _close_as_asked(self) -> None:
        wanted = set(await db.read(_close_requests))
        for connection in self._watched.connections():
            if connection.connection_id in wanted:
                self._close(connection, close_codes.OPERATOR)

    def _close(self, connection: WebSocketConnection, closing: Closing) -> None:
        """Close without waiting: a client that reads nothing must not delay closing other sockets."""
        if connection.closed:
            return
        task = asyncio.get_running_loop().create_task(connection.close(closing))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _look_at_epoch(self) -> None:
        """Close every connection if a backup was restored, because its positions belong to the old history."""
        now = await epoch.look()
        for connection in self._watched.connections():
            if connection.epoch is None:
                connection.epoch = now
            elif connection.epoch != now:
                pause = random.randrange(500, max(2000, conf.DRAIN_SPREAD_MS))
                self._close(connection, close_codes.BACKUP_RESTORED.after(pause))

    async def _heartbeat(self) -> None:
        this_process.delivery_p99 = self._lag.p99(time.monotonic())
        await look_after_processes()


def _moved_since(moment: datetime, known: Heads, owner_ids: Collection[str] | None = None) -> tuple[News, Heads]:
    """Threads that have changed and are not known, by owner, and the heads of all threads changed since `moment`.

    The comparison runs in the reader's thread: under load, thousands of threads have changed, and nearly all are known.
    """
    news: News = {}
    heads: Heads = {}
    for owner_id, thread_id, last_seq in journal_read.moved_since(moment, owner_ids):
        heads[owner_id, thread_id] = last_seq
        if known.get((owner_id, thread_id)) != last_seq:
            news.setdefault(owner_id, []).append((thread_id, last_seq))
    return news, heads


def _close_requests() -> list[str]:
    mine = Connection.objects.filter(process_id=this_process.process_id, disconnected_at=None)
    return list(mine.exclude(close_requested_at=None).values_list("pk", flat=True))

"""What a process that has connections looks at again and again, in few queries: moved threads, credentials,
operators' wishes, its own heartbeat.

It heals what the channel layer lost: a last message, a dead Redis, a revocation that was never announced.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from websocket_core import db, journal_read, metrics
from websocket_core.auth import Identity, check
from websocket_core.conf import conf
from websocket_core.groups import user_group
from websocket_core.journal import get_journal
from websocket_core.models import Connection
from websocket_core.process import beat_and_reap, this_process

if TYPE_CHECKING:
    from websocket_core.connection import WebSocketConnection
    from websocket_core.hub import Hub

log = logging.getLogger(__name__)

OVERLAP = timedelta(seconds=15)  # a commit may take that long after its timestamp was taken
EXPIRY_CODE = 4401


class Watchdog:
    """Runs while its hub has connections."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._hurry = asyncio.Event()
        self._since = datetime.now(UTC)
        self._checked = self._beat = 0.0
        self._closing: set[asyncio.Task[None]] = set()

    def hurry(self) -> None:
        """Look now: somebody rang."""
        self._checked = 0.0
        self._hurry.set()

    async def run(self) -> None:
        """Look once per `WATCHDOG_SECONDS`; trouble with the database is logged once and waited out."""
        try:
            await self._watch()
        finally:
            for task in self._closing:
                task.cancel()
            await asyncio.gather(*self._closing, return_exceptions=True)

    async def _watch(self) -> None:
        self._since = datetime.now(UTC)
        warned = False
        while True:
            try:
                async with asyncio.timeout(conf.WATCHDOG_SECONDS):
                    await self._hurry.wait()
            except TimeoutError:
                pass
            self._hurry.clear()
            try:
                await self._look()
                warned = False
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - waited out, the next look comes
                if not warned:
                    warned = True
                    log.warning("watchdog: %s: %s", type(error).__name__, error)

    async def _look(self) -> None:
        now = time.monotonic()
        metrics.journal_backlog.set(get_journal().backlog)
        await self._expire()
        if now - self._checked >= conf.CREDENTIAL_CHECK_SECONDS:
            self._checked = now
            await self._check_credentials()
            await self._close_as_asked()
        if now - self._beat >= conf.HEARTBEAT_SECONDS:
            self._beat = now
            await self._heartbeat()
        await self._hub.rejoin()
        await self._look_for_moved()

    async def _look_for_moved(self) -> None:
        started = datetime.now(UTC)
        rows = await db.read(journal_read.moved_since, self._since - OVERLAP)
        self._since = started
        by_user: dict[str, list[tuple[str, int]]] = {}
        for user_id, thread_id, last_seq in rows:
            by_user.setdefault(user_id, []).append((thread_id, last_seq))
        for user_id, threads in by_user.items():
            for connection in self._hub.of_group(user_group(user_id)):
                for thread_id, last_seq in threads:
                    connection.moved(thread_id, last_seq)

    async def _expire(self) -> None:
        now = datetime.now(UTC)
        warning = timedelta(seconds=conf.SESSION_WARNING_SECONDS)
        for connection in self._hub.connections():
            expires = connection.identity.expires_at if connection.identity else None
            if expires is None:
                continue
            if expires <= now:
                self._close(
                    connection, EXPIRY_CODE, "token_expired", "Your credentials have expired. Connect with new ones."
                )
            elif not connection.expiry_announced and expires - now <= warning:
                connection.announce_expiry()

    async def _check_credentials(self) -> None:
        connections = [connection for connection in self._hub.connections() if connection.identity is not None]
        identities: Collection[Identity] = {connection.identity for connection in connections if connection.identity}
        if not identities:
            return
        invalid = dict(await db.read(check, identities))
        for connection in connections:
            if connection.identity in invalid:
                code = invalid[connection.identity]
                self._close(connection, EXPIRY_CODE, code, "Your session or token is no longer valid. Log in again.")

    async def _close_as_asked(self) -> None:
        wanted = set(await db.read(_close_requests))
        for connection in self._hub.connections():
            if connection.connection_id in wanted:
                self._close(connection, 1012, "draining", "An operator closed this connection.", retry_after_ms=1000)

    def _close(self, connection: WebSocketConnection, code: int, error_code: str, message: str, **fields: Any) -> None:
        """Close without waiting: a client that reads nothing must not hold up what closes the sockets of others."""
        if connection.closed:
            return
        task = asyncio.get_running_loop().create_task(connection.close(code, error_code, message, **fields))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _heartbeat(self) -> None:
        await db.writer.call(beat_and_reap)


def _close_requests() -> list[str]:
    mine = Connection.objects.filter(process_id=this_process.process_id, disconnected_at=None)
    return list(mine.exclude(close_requested_at=None).values_list("pk", flat=True))

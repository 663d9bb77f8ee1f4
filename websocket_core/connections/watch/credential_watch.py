"""Checks whether the credentials of open connections are still valid.

It checks the credentials of all sockets of an event loop every `CREDENTIAL_CHECK_SECONDS`, those of one user as soon as
the bell rings for that user, and those that are about to expire. The cost of a ring does not depend on the number of
other connections.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from websocket_core import auth
from websocket_core.auth import Identity
from websocket_core.conf import conf
from websocket_core.connections.connection import WebSocketConnection
from websocket_core.connections.watch.watched import Connections
from websocket_core.database import db
from websocket_core.wire import Closing
from websocket_core.wire.close_codes import SESSION_REVOKED, TOKEN_EXPIRED

log = logging.getLogger(__name__)


class CredentialWatch:
    """Closes sockets whose credentials have ended, and warns those whose end is near.

    Args:
        watched: the connections.
        close: closes one of them, without waiting.
    """

    def __init__(self, watched: Connections, close: Callable[[WebSocketConnection, Closing], None]) -> None:
        self._watched, self._close = watched, close
        self._rung: set[str] = set()
        self._checked = float("-inf")  # when all were last checked, on the monotonic clock

    def rang(self, group: str) -> None:
        """The credentials of this group's user may have changed: `answer` will check them."""
        self._rung.add(group)

    async def answer(self) -> None:
        """Check the credentials of the users for whom the bell rang.

        Raises:
            OperationalError, InterfaceError: the database is unavailable. The next call tries again.
        """
        rung, self._rung = self._rung, set()
        try:
            await self._review(connection for group in rung for connection in self._watched.of_group(group))
        except Exception:
            self._rung |= rung
            raise

    async def look(self) -> None:
        """Close what has ended, warn connections whose end is near, and check everybody when it is time. Once a second.

        Raises:
            OperationalError, InterfaceError: the database is unavailable. Credentials that have expired according to
                earlier checks are closed nevertheless.
        """
        everybody = time.monotonic() - self._checked >= conf.CREDENTIAL_CHECK_SECONDS
        if everybody:
            self._checked = time.monotonic()
        ended = self._ended()
        expired = {connection.identity for connection in ended}
        try:
            await self._review(self._watched.connections() if everybody else ended)
        finally:
            self._expire(expired)

    def _ended(self) -> list[WebSocketConnection]:
        """Connections whose credential has expired. Their session may have been renewed, so it has to be checked."""
        now = datetime.now(UTC)
        return [c for c in self._watched.connections() if (end := _end(c)) is not None and end <= now]

    async def _review(self, connections: Iterable[WebSocketConnection]) -> None:
        asked = [connection for connection in connections if connection.identity and not connection.closed]
        identities = {connection.identity for connection in asked if connection.identity}
        if not identities:
            return
        found = await db.read(_judged, identities)
        for connection in asked:
            # Read again: the client may have sent a fresh token in the meantime.
            identity: Any = connection.identity
            if identity in found.invalid:
                is_expired = found.invalid[identity] == TOKEN_EXPIRED.error_code
                self._close(connection, TOKEN_EXPIRED if is_expired else SESSION_REVOKED)
            elif identity in found.ends:
                connection.identity = replace(identity, expires_at=found.ends[identity])
                connection.expiry_announced = False

    def _expire(self, expired: Collection[Identity | None]) -> None:
        """Close the connections whose expired credential has been checked and not renewed; warn the others.

        A credential that expired during the check was not part of it. Its session may have been renewed, so it waits
        for the next check.
        """
        for connection in self._watched.connections():
            if expired and connection.identity in expired:
                self._close(connection, TOKEN_EXPIRED)
                continue
            try:
                connection.warn_of_expiry()
            except Exception:  # an error of one connection must not keep others open
                log.exception("connection %s could not be warned", connection.connection_id)


def _judged(identities: Collection[Identity]) -> auth.Review:
    """Run `auth.review`. If an identity cannot be checked (its backend raises), the others still are."""
    try:
        return auth.review(identities)
    except db.OUTAGE:
        raise
    except Exception as error:
        if len(identities) == 1:
            log.exception("credentials of kind %s cannot be checked", next(iter(identities)).kind, exc_info=error)
            return auth.Review({}, {})
    half, found = list(identities), auth.Review({}, {})
    for part in (half[: len(half) // 2], half[len(half) // 2 :]):
        judged = _judged(part)
        found.invalid.update(judged.invalid)
        found.ends.update(judged.ends)
    return found


def _end(connection: WebSocketConnection) -> datetime | None:
    return connection.identity.expires_at if connection.identity is not None else None

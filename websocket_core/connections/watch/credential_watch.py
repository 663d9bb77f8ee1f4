"""Whether those who are connected still are who they were when they came.

Looks at the credentials of all sockets of an event loop every `CREDENTIAL_CHECK_SECONDS`, at one user's as soon as
somebody rings for that user, and at those that are about to end. What a ring costs does not depend on how many others
are connected.
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
    """Closes the sockets whose credentials have ended; warns those whose end is near.

    Args:
        watched: the connections.
        close: closes one, without waiting for it.
    """

    def __init__(self, watched: Connections, close: Callable[[WebSocketConnection, Closing], None]) -> None:
        self._watched, self._close = watched, close
        self._rung: set[str] = set()
        self._checked = float("-inf")  # when all were looked at, on the monotonic clock

    def rang(self, group: str) -> None:
        """The credentials of the user of this group may have changed: `answer` will look at them."""
        self._rung.add(group)

    async def answer(self) -> None:
        """Look at the credentials of those for whom somebody rang.

        Raises:
            OperationalError, InterfaceError: the database cannot be asked; the next call asks again.
        """
        rung, self._rung = self._rung, set()
        try:
            await self._review(connection for group in rung for connection in self._watched.of_group(group))
        except Exception:
            self._rung |= rung
            raise

    async def look(self) -> None:
        """Once a second: close what has ended, warn whose end is near, and look at everybody when it is time.

        Raises:
            OperationalError, InterfaceError: the database cannot be asked. What has ended by what was known before is
                closed all the same.
        """
        everybody = time.monotonic() - self._checked >= conf.CREDENTIAL_CHECK_SECONDS
        if everybody:
            self._checked = time.monotonic()
        try:
            await self._review(self._watched.connections() if everybody else self._ended())
        finally:
            self._expire()

    def _ended(self) -> Iterable[WebSocketConnection]:
        """Their time is over, unless their session was renewed since: that has to be asked."""
        now = datetime.now(UTC)
        for connection in self._watched.connections():
            if (end := _end(connection)) is not None and end <= now:
                yield connection

    async def _review(self, connections: Iterable[WebSocketConnection]) -> None:
        asked = [connection for connection in connections if connection.identity and not connection.closed]
        identities = {connection.identity for connection in asked if connection.identity}
        if not identities:
            return
        found = await db.read(_judged, identities)
        for connection in asked:
            # Asked again: the client may have sent a fresh token meanwhile.
            identity: Any = connection.identity
            if identity in found.invalid:
                is_expired = found.invalid[identity] == TOKEN_EXPIRED.error_code
                self._close(connection, TOKEN_EXPIRED if is_expired else SESSION_REVOKED)
            elif identity in found.ends:
                connection.identity = replace(identity, expires_at=found.ends[identity])
                connection.expiry_announced = False

    def _expire(self) -> None:
        now = datetime.now(UTC)
        for connection in self._watched.connections():
            if (end := _end(connection)) is None:
                continue
            if end <= now:
                self._close(connection, TOKEN_EXPIRED)
                continue
            try:
                connection.warn_of_expiry()
            except Exception:  # one connection's trouble must not keep the credentials of the others open
                log.exception("connection %s could not be warned", connection.connection_id)


def _judged(identities: Collection[Identity]) -> auth.Review:
    """`auth.review`, with one identity that cannot be judged (its backend raises) not keeping the others unjudged."""
    try:
        return auth.review(identities)
    except db.OUTAGE:
        raise
    except Exception as error:
        if len(identities) == 1:
            log.exception("credentials of kind %s cannot be judged", next(iter(identities)).kind, exc_info=error)
            return auth.Review({}, {})
    half, found = list(identities), auth.Review({}, {})
    for part in (half[: len(half) // 2], half[len(half) // 2 :]):
        judged = _judged(part)
        found.invalid.update(judged.invalid)
        found.ends.update(judged.ends)
    return found


def _end(connection: WebSocketConnection) -> datetime | None:
    return connection.identity.expires_at if connection.identity is not None else None

"""The hub: passes news of the bell to the connections of one event loop.

It has one channel, which is a member of the group of every user with a connection here. A user with twenty tabs costs
one message per batch and process instead of twenty. A message is passed only to the connections that joined under the
name of its group.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterator

from websocket_core.bell import Listener, Message, groups
from websocket_core.conf import conf
from websocket_core.connections.connection import WebSocketConnection
from websocket_core.connections.log import ConnectionLog
from websocket_core.connections.watch.watched import Attendant
from websocket_core.ids import OwnerID
from websocket_core.process import metrics
from websocket_core.process.tasks import process_task
from websocket_core.wire import close_codes

log = logging.getLogger(__name__)

LOG_SECONDS = 2.0  # how long the last connection waits for its row to be written


class _Member:
    """The connections for one owner's threads, and whether this process's channel is in the owner's group."""

    __slots__ = ("connections", "joined", "lock", "owner_id")

    def __init__(self, owner_id: OwnerID) -> None:
        self.owner_id = owner_id
        self.connections: set[WebSocketConnection] = set()
        self.joined = False
        self.lock = asyncio.Lock()


class Hub:
    """The connections of one event loop, by group. Passes on what the channel layer brings.

    Args:
        connection_log: writes the rows of connections.
    """

    def __init__(self, connection_log: ConnectionLog) -> None:
        self.log = connection_log
        self._members: dict[str, _Member] = {}
        self._listener = Listener("connections", self._deliver, meanwhile="the watchdog delivers until it works again")
        self._tasks: list[asyncio.Task[None]] = []
        self._attendants: list[Attendant] = []

    def __len__(self) -> int:
        return sum(len(member.connections) for member in self._members.values())

    def attended_by(self, attendant: Attendant) -> None:
        """Run `attendant` while there are connections, starting with the next first connection."""
        self._attendants.append(attendant)

    def connections(self) -> Iterator[WebSocketConnection]:
        """Every open connection of this loop."""
        for member in list(self._members.values()):
            yield from list(member.connections)

    def owners(self) -> list[OwnerID]:
        """The owners whose threads a connection in this loop receives."""
        return [member.owner_id for member in self._members.values() if member.connections]

    def of_group(self, group: str) -> list[WebSocketConnection]:
        """The connections of one user."""
        member = self._members.get(group)
        return list(member.connections) if member else []

    async def join(self, connection: WebSocketConnection) -> None:
        """Receive news of the user's group from now on.

        If the channel layer is unavailable, the connection is still accepted: the watchdog delivers in the meantime.
        """
        if not self._tasks:
            self._start()
        member = self._members.setdefault(connection.group, _Member(connection.owner_id))
        member.connections.add(connection)
        groups.arrived(connection.owner_id)
        metrics.connections.inc()
        async with member.lock:
            if not member.joined and member.connections:
                member.joined = await self._listener.join(connection.group)

    async def leave(self, connection: WebSocketConnection) -> None:
        """Forget a connection. Idempotent.

        With the user's last connection, the group is left. With the hub's last connection, the tasks end.
        """
        member = self._members.get(connection.group)
        if member is None or connection not in member.connections:
            return
        member.connections.discard(connection)
        metrics.connections.dec()
        metrics.sockets_closed.labels(close_codes.counted_as(connection.close_code)).inc()
        async with member.lock:
            if not member.connections and self._members.get(connection.group) is member:
                if member.joined:
                    member.joined = False
                    await self._listener.leave(connection.group)
                if not member.connections:
                    del self._members[connection.group]
                    groups.left(connection.owner_id)
        if not self._members:
            await self._stop()

    async def rejoin(self) -> None:
        """Enter the groups that could not be entered before, if the channel layer allows it."""
        for group, member in list(self._members.items()):
            async with member.lock:
                if member.joined or not member.connections:
                    continue
                member.joined = await self._listener.join(group)
                if not member.joined:
                    # If the channel layer is still unavailable, the other groups need not wait for it too. If the
                    # problem is this group alone, the next attempt must begin with the others.
                    if self._members.get(group) is member:
                        self._members[group] = self._members.pop(group)
                    return

    async def drain(self) -> None:
        """Close every connection, and tell each client to reconnect elsewhere at a random time within some seconds."""
        spread = max(2000, conf.DRAIN_SPREAD_MS)
        closing = [
            connection.close(close_codes.SHUTTING_DOWN.after(random.randint(100, spread)))
            for connection in self.connections()
        ]
        await asyncio.gather(*closing, return_exceptions=True)

    def _start(self) -> None:
        self._listener.open_anew()
        self._tasks = [
            process_task(self._listener.run(), "netra-hub"),
            *(process_task(attendant.run(), "netra-watchdog") for attendant in self._attendants),
        ]

    async def _stop(self) -> None:
        # No lock is held, and waiting comes last: a connection that joins in the meantime starts new tasks.
        tasks, self._tasks = self._tasks, []
        ending = {task for task in tasks if task is not asyncio.current_task()}
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        # An event loop that ends next must not lose the recorded rows. An unavailable database must not delay it.
        try:
            async with asyncio.timeout(LOG_SECONDS):
                await self.log.flush()
        except TimeoutError:
            pass  # the log continues by itself

    def _deliver(self, message: Message) -> None:
        member = self._members.get(message["group"])
        if member is None:
            return
        if message["type"] == "netra.events":
            hints, at = message["threads"], message["at"]
            for connection in member.connections:
                try:
                    connection.hint(member.owner_id, hints, at)
                except Exception:  # an error of one connection must not affect the user's others
                    log.exception("connection %s could not process a hint", connection.connection_id)
        elif message["type"] == "netra.control":
            for connection in member.connections:
                if connection.delivery is None or connection.delivery.control_chars > conf.CONTROL_CHARS:
                    continue  # it answers no request: a client that does not read misses it
                try:
                    connection.control(message["text"])
                except Exception:
                    log.exception("connection %s could not process a control frame", connection.connection_id)
        elif message["type"] == "netra.credentials":
            for attendant in self._attendants:
                attendant.credentials_changed(message["group"])
        elif message["type"] == "netra.close":
            for attendant in self._attendants:
                attendant.close_asked()

"""The manager: one user's connections and events, for one execution context.

It holds nothing of other users and shares no mutable state with other managers. It refuses every call about another
user. Every event of a run goes through its `post`: from an agent's context, from an emitter and from
`emit_critical_event`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from websocket_core.bell import control_news
from websocket_core.conf import conf
from websocket_core.connections import WebSocketConnection, bare_connection, connection_of, health, welcome
from websocket_core.context import UserExecutionContext
from websocket_core.database import db
from websocket_core.errors import LeaseLostError, RunOverError, UserIsolationError
from websocket_core.gateway import get_gateway
from websocket_core.ids import ConnectionID, ThreadID
from websocket_core.journal import Append, Journal, RoomOfRun
from websocket_core.journal import reading as journal_read
from websocket_core.models import Connection
from websocket_core.wire import encoding, events
from websocket_core.wire.grammar import RunGrammar


class UnifiedWebSocketManager:
    """Connections and events of one user context.

    Args:
        user_context: the context. The manager serves only its user.
    """

    def __init__(self, user_context: UserExecutionContext) -> None:
        self.user_context = user_context
        self.room = RoomOfRun()
        self._connections: dict[ConnectionID, WebSocketConnection] = {}
        self._bare: dict[ConnectionID, Any] = {}  # websockets added by code, kept alive while they are connected

    # --- connections

    async def add_connection(self, connection: Any) -> ConnectionID:
        """Register a connection and join the user's group.

        Args:
            connection: a consumer (anything with a `connection` attribute that is a `WebSocketConnection`), a
                `WebSocketConnection`, or any bare websocket with an async `send(text)`. A bare one receives events at
                once. The others receive none before their first action.

        Returns:
            The connection's id. A connection that is already registered keeps its id.

        Raises:
            TypeError: it is none of these.
            UserIsolationError: it belongs to another user.
        """
        known = self.get_connection_id_by_websocket(connection)
        if known is not None:
            return known
        inner = connection_of(connection)
        wrapped = inner or bare_connection(connection, self.user_context.user_id)
        self._check_user(wrapped.user_id)
        hub = get_gateway().hub
        self._connections[wrapped.connection_id] = wrapped
        if inner is None:
            self._bare[wrapped.connection_id] = connection
        try:
            await hub.join(wrapped)
            await welcome(hub, wrapped, bare=inner is None)
        except BaseException:
            self._forget(wrapped.connection_id)
            hub.log.closed(wrapped.connection_id, wrapped.close_code)  # its row, if it exists, would count as open
            await hub.leave(wrapped)
            raise
        return wrapped.connection_id

    async def remove_connection(self, connection_id: str) -> None:
        """Forget a connection. With the user's last one, leave the group. Idempotent."""
        connection = self._forget(connection_id)
        if connection is None:
            return
        await connection.stop()
        hub = get_gateway().hub
        hub.log.closed(connection.connection_id, connection.close_code)
        await hub.leave(connection)

    def get_connection(self, connection_id: str) -> WebSocketConnection | None:
        """The user's connection with this id if it was added here, otherwise `None`."""
        return self._connections.get(connection_id)  # type: ignore[call-overload, no-any-return]

    def get_user_connections(self, user_id: str) -> set[ConnectionID]:
        """Ids of the user's connections that were added here.

        Raises:
            UserIsolationError: `user_id` is another user.
        """
        self._check_user(user_id)
        return set(self._connections)

    def is_connection_active(self, user_id: str) -> bool:
        """Whether the user has an open connection here.

        Raises:
            UserIsolationError: `user_id` is another user.
        """
        self._check_user(user_id)
        return any(not connection.closed for connection in self._connections.values())

    def get_connection_id_by_websocket(self, websocket: Any) -> ConnectionID | None:
        """The id under which a websocket (or consumer, or connection) was added here.

        `None` if it is unknown. Never raises.
        """
        for connection_id, connection in self._connections.items():
            if connection is websocket or self._bare.get(connection_id, connection) is websocket:
                return connection_id
        inner = connection_of(websocket)
        if inner is not None and self._connections.get(inner.connection_id) is inner:
            return inner.connection_id
        return None

    def update_connection_thread(self, connection_id: str, thread_id: str) -> bool:
        """Record the thread in which a connection works. The row is written later, with other connection rows.

        Returns:
            `False` if the connection is unknown here.

        Raises:
            ValueError: `thread_id` is not a valid thread id.
        """
        connection = self._connections.get(connection_id)  # type: ignore[call-overload]
        if connection is None:
            return False
        thread_id = ThreadID(thread_id)
        if connection.thread_id == thread_id:
            return True
        connection.thread_id = thread_id
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            Connection.objects.filter(pk=connection_id).update(thread_id=thread_id)  # no loop to block
        else:
            get_gateway().hub.log.thread(connection.connection_id, thread_id)
        return True

    def get_connection_health(self, user_id: str) -> dict[str, Any]:
        """Statistics about the user's connections here.

        Returns:
            `user_id`, `active` (bool), `connections` (number of open ones), `waiting_chars` (characters not yet sent),
            `since` (ISO time of the oldest, or `None`), `connection_ids` (sorted list).

        Raises:
            UserIsolationError: `user_id` is another user.
        """
        self._check_user(user_id)
        return {"user_id": str(user_id), **health(self._connections.values())}

    # --- sending

    async def send_to_user(self, user_id: str, message: Mapping[str, Any]) -> bool:
        """Send a control frame to all of the user's open connections, in every process.

        It is not journalled: a client that is not connected misses it.

        Args:
            message: a flat mapping with `event_type`.

        Returns:
            `True` once the channel layer has it. `False` if the channel layer is unavailable: then it reaches no
            connection.

        Raises:
            UserIsolationError: `user_id` is another user.
            ValueError: the message has no `event_type`, or no JSON form.
        """
        self._check_user(user_id)
        if not isinstance(message.get("event_type"), str):
            raise ValueError("a control frame needs a string `event_type`")
        text = encoding.encode(dict(message))
        return await get_gateway().bell.rung(control_news(user_id, text))

    async def send_to_thread(self, thread_id: str, message: Mapping[str, Any]) -> bool:
        """Send a control frame about a thread of the user to all of the user's open connections, with its `thread_id`.

        Returns:
            `False` if the user has no such thread.
        """
        thread_id = ThreadID(thread_id)
        if thread_id != self.user_context.thread_id:
            found = await db.read(journal_read.bounds, self.user_context.user_id, [thread_id])
            if thread_id not in found:
                return False
        return await self.send_to_user(self.user_context.user_id, {**message, "thread_id": thread_id})

    async def emit_critical_event(self, user_id: str, event_type: str, data: Mapping[str, Any]) -> bool:
        """Post an event of this context's run and wait until it is committed.

        Returns:
            `True` once it is committed. `False` if the run is over or its lease was lost: nothing was written.

        Raises:
            UserIsolationError: `user_id` is another user.
            ValueError: `event_type` is unknown, or `data` has no JSON form or is too large.
            JournalUnavailable: the database was unavailable for too long. Nothing was written.
            QuotaExceeded: the quota of the user or of the thread is used up. Nothing was written, and from now on the
                run can only write its terminal event.
        """
        self._check_user(user_id)
        journal = get_gateway().journal
        await journal.ready()
        try:
            seq = await self.post(event_type, data, journal=journal)
        except (RunOverError, LeaseLostError):
            return False
        if self._bare:
            await self._deliver_to_bare(seq)
        return True

    def post(
        self,
        event_type: str,
        data: Mapping[str, Any],
        *,
        grammar: RunGrammar | None = None,
        journal: Journal | None = None,
    ) -> asyncio.Future[int]:
        """Queue an event of this context's run for the journal's next transaction. Every event goes through here.

        Events are committed in the order of the calls, even if the caller is cancelled afterwards. The queue accepts
        the event even if it is full; a caller that posts many events waits for `Journal.room`.

        Args:
            grammar: the grammar of the run. It refuses an illegal event before anything is queued.
            journal: the journal of the running event loop, if the caller already has it.

        Returns:
            The event's `seq`, once it is committed. The future fails with `RunOverError`, `LeaseLostError`,
            `JournalUnavailable` or `QuotaExceeded`; then nothing was written.

        Raises:
            ValueError: as for `emit_critical_event`. Nothing is queued, and the grammar is unchanged.
            GrammarError: the event is not allowed here. Nothing is queued.
        """
        if event_type not in events.TYPES:
            raise ValueError(f"unknown event type {event_type!r:.80}; known types: {', '.join(sorted(events.TYPES))}")
        if type(data) is not dict and not isinstance(data, Mapping):  # the first check is the cheap one
            raise ValueError(f"the data of an event must be a dict, not {type(data).__name__}")
        context, field = self.user_context, events.STREAM_FIELD.get(event_type)
        if event_type == "agent_started":
            data = {"agent_type": "unknown", "input": {}, **data}
        elif event_type == "agent_data":
            events.check_data(data)
        text, stream, delta, last = "", None, "", False
        if (
            field is not None
            and (data.keys() == {"delta", field} or (last := _is_last(data, field)))
            and type(data["delta"]) is type(data[field]) is str
            and len(data["delta"]) * 6 < conf.MAX_EVENT_BYTES // 2
        ):
            delta, stream = data["delta"], data[field]
            encoding.encode([delta, stream])  # a lone surrogate must raise in the author's code, not in the journal
        else:
            text = encoding.encode(data if type(data) is dict else dict(data))
            events.check_size(text, context.thread_id, context.run_id)
        run = (context.user_id, context.thread_id, context.run_id, context.fence)
        operation = Append(*run, event_type, text, stream, delta, self.room, last)
        if grammar is not None:
            grammar.feed(event_type, data)
        return (get_gateway().journal if journal is None else journal).post(operation)

    # --- inside

    def _check_user(self, user_id: str) -> None:
        if user_id != self.user_context.user_id:
            raise UserIsolationError()

    async def _deliver_to_bare(self, seq: int) -> None:
        """Deliver the event to sockets added by code before `emit` returns. Later news finds it already sent."""
        for connection_id in list(self._bare):
            connection = self._connections.get(connection_id)
            if connection is None:
                continue  # removed while another socket received its event
            connection.moved((self.user_context.user_id, self.user_context.thread_id), seq)
            with suppress(TimeoutError):  # a slow socket must not delay the agent; it gets the event later
                async with asyncio.timeout(1):
                    await connection.drained()

    def _forget(self, connection_id: str) -> WebSocketConnection | None:
        self._bare.pop(connection_id, None)  # type: ignore[call-overload]
        return self._connections.pop(connection_id, None)  # type: ignore[call-overload, no-any-return]


def _is_last(data: Mapping[str, Any], field: str) -> bool:
    """Whether it is the last delta of a message."""
    return field == "message_id" and data.keys() == {"delta", field, "last"} and data["last"] is True

"""The life of one event stream: a connection that is positioned, answered and watched until it is reset."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from netra.streams import server_exit
from netra.streams.refusals import of_closing
from netra.streams.request import Receive, Request, Send
from netra.streams.transport import StreamTransport
from websocket_core.auth import Identity
from websocket_core.conf import conf
from websocket_core.connections import WebSocketConnection
from websocket_core.context import UserExecutionContext
from websocket_core.ids import new_id
from websocket_core.process import log_context
from websocket_core.process.lifecycle import lifecycle
from websocket_core.websocket_manager import create_websocket_manager
from websocket_core.wire import Dialect, close_codes

Position = Callable[[WebSocketConnection], Awaitable[None]]
"""Positions a connection whose delivery has begun, and limits it to the threads of its client."""

EXIT_SECONDS = 1.0  # how often the end of a server is looked for that tells it in no other way


async def serve_stream(
    request: Request,
    receive: Receive,
    send: Send,
    *,
    identity: Identity,
    dialect: Dialect,
    position: Position,
    thread_id: str,
) -> None:
    """Open a stream and keep it open. The response is left incomplete, so that the server resets the connection.

    Args:
        identity: the caller.
        dialect: translates frames into the text of the stream.
        position: where the stream begins.
        thread_id: the thread of the stream, for the admin's list of connections.

    Raises:
        Refused, JournalUnavailable, OperationalError, InterfaceError: nothing has been sent yet.
    """
    if lifecycle.draining or server_exit.is_near():
        raise of_closing(close_codes.SHUTTING_DOWN)
    transport = StreamTransport(request, send)
    connection = WebSocketConnection(
        identity.user_id,
        transport,
        identity=identity,
        client=request.headers.get("user-agent", ""),
        dialect=dialect,
    )
    log_context.bind(identity.user_id, connection=connection.connection_id)
    manager = create_websocket_manager(
        UserExecutionContext(identity.user_id, new_id(), new_id(), connection_id=connection.connection_id)
    )
    try:
        await manager.add_connection(connection)
        if connection.earlier >= (limit := conf.MAX_CONNECTIONS_PER_USER):
            connection.close_code = close_codes.TOO_MANY_CONNECTIONS.close_code
            raise of_closing(close_codes.TOO_MANY_CONNECTIONS.saying(limit=limit))
        await position(connection)
        if transport.ended.is_set():  # it was closed before anything was sent
            raise of_closing(close_codes.SHUTTING_DOWN)
        manager.update_connection_thread(connection.connection_id, thread_id)
        await transport.start()
        connection.release()
        await _first_of(
            _gone(receive), transport.ended.wait(), transport.comment_on_silence(), _end_with_server(connection)
        )
        if transport.stalled:
            connection.close_code = close_codes.TOO_SLOW.close_code
    finally:
        await manager.remove_connection(connection.connection_id)


async def _gone(receive: Receive) -> None:
    """Wait until the client has left. What it still sends of its body is ignored."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _end_with_server(connection: WebSocketConnection) -> None:
    """Close the connection when a server ends that waits for its responses. Never returns before that."""
    if not server_exit.is_told():
        await asyncio.Event().wait()
    while not server_exit.is_near():  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(EXIT_SECONDS)
    await connection.close(close_codes.SHUTTING_DOWN)


async def _first_of(*waits: Coroutine[Any, Any, object]) -> None:
    """Run all of them until one returns or fails."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

"""The WebSocket consumer: the handshake, a loop that reads actions, and the end. What an action means is in
`action_table`; what is sent, in `connection`.

It replaces Channels' dispatch loop: there every message hops to a thread, and a handler that waits keeps the next
message waiting. Here handlers only change state or start work, so `stop_agent` and `ping` always overtake an agent.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from channels.consumer import AsyncConsumer
from django.db import InterfaceError, OperationalError

from websocket_core import auth
from websocket_core.conf import conf
from websocket_core.connections.connection import WebSocketConnection
from websocket_core.consumer.handlers import ACTION_TABLE
from websocket_core.context import UserExecutionContext
from websocket_core.errors import ClientError, ConnectionClosedError, JournalUnavailable, Unauthenticated
from websocket_core.gateway import get_gateway
from websocket_core.ids import ThreadKey, new_id
from websocket_core.limits import action_limiter, cost_of, cost_of_threads
from websocket_core.process import log_context
from websocket_core.process.lifecycle import lifecycle
from websocket_core.process.turn import Turn
from websocket_core.run_service import RunService
from websocket_core.unified_manager import UnifiedWebSocketManager
from websocket_core.websocket_manager import create_websocket_manager
from websocket_core.wire import actions, frames

log = logging.getLogger(__name__)

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class AsgiTransport:
    """Frames to an ASGI server.

    Several at once where the server (`manage.py serve`) or the client (`netra.v1.batch`) can take them.
    """

    __slots__ = ("_batch", "_many", "_send", "_write")

    def __init__(self, send: Send, extension: dict[str, Any] | None, *, batch: bool) -> None:
        self._send, self._many, self._batch = send, extension is not None, batch
        self._write: Callable[[Sequence[str]], bool] | None = (extension or {}).get("write")

    def write(self, texts: Sequence[str]) -> bool | None:
        """See `Transport`."""
        if self._write is None:
            return None
        return self._write((f"[{','.join(texts)}]",) if self._batch and len(texts) > 1 else texts)

    async def send(self, texts: Sequence[str]) -> None:
        """See `Transport`."""
        if self._batch and len(texts) > 1:
            await self._send({"type": "websocket.send", "text": f"[{','.join(texts)}]"})
        elif self._many:
            await self._send({"type": "netra.frames", "texts": texts})
        else:
            for text in texts:
                await self._send({"type": "websocket.send", "text": text})

    async def close(self, code: int) -> None:
        """See `Transport`."""
        await send_close(self._send, code)


async def send_close(send: Send, code: int) -> None:
    """Close with this code.

    Where the server cannot send 1012 (plain `daphne`), with the other one that says: come back, and resume.
    """
    try:
        await send({"type": "websocket.close", "code": code})
    except Exception:
        if code != 1012:
            raise
        await send({"type": "websocket.close", "code": 4408})


async def answer(send: Send, message: dict[str, Any]) -> None:
    """Send a part of the handshake.

    Raises:
        ConnectionClosedError: the server refuses to, whatever it raises: the client has gone, or the server itself
            found the handshake wrong while the application was still looking at it.
    """
    try:
        await send(message)
    except Exception as error:
        raise ConnectionClosedError(f"{type(error).__name__}: {error}") from error


class NetraConsumer(AsyncConsumer):
    """One WebSocket.

    Args:
        run_service: what clients may do with runs; injected by the composition root, so that the core never imports
            agents.
    """

    run_service: RunService | None = None

    def __init__(self, run_service: RunService | None = None) -> None:
        self.run_service = run_service or self.run_service
        self.connection: WebSocketConnection | None = None
        self.manager: UnifiedWebSocketManager | None = None
        self.awaited: ThreadKey | None = None  # the thread in which an event answers the action under way
        self._first_action: asyncio.TimerHandle | None = None
        self._first_answer: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None
        self._ignored = 0  # actions sent in spite of rate_limited
        self._refused = 0  # of them, since the last action that was let through

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one socket (ASGI)."""
        self.scope = scope
        get_gateway().serve()
        await receive()  # websocket.connect
        try:
            await self._open(scope, receive, send)
        except ConnectionClosedError as error:
            log.info("a client went away during the handshake: %s", error)

    async def _open(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        try:
            identity = await auth.identify(scope)
        except auth.OriginRefused:
            await answer(send, {"type": "websocket.close"})  # before the accept: HTTP 403
            return
        except Unauthenticated as error:
            if error.undecided:  # 4401 would end clients whose credentials are good
                await self._refuse(receive, send, 1012, "draining", str(error), **error.wire_fields)
            else:
                await self._refuse(receive, send, 4401, error.code, str(error))
            return
        except (OperationalError, InterfaceError):
            await self._refuse(
                receive,
                send,
                1012,
                "draining",
                "The database cannot be reached right now. Try again.",
                retry_after_ms=2000,
            )
            return
        if lifecycle.draining:
            await self._refuse(
                receive, send, 1012, "draining", "This server is shutting down. Connect again.", retry_after_ms=500
            )
            return
        await self._serve(identity, receive, send)

    async def _serve(self, identity: auth.Identity, receive: Receive, send: Send) -> None:
        subprotocol = auth.chosen_subprotocol(self.scope.get("subprotocols", ()))
        transport = AsgiTransport(
            send, (self.scope.get("extensions") or {}).get("netra.frames"), batch=subprotocol == "netra.v1.batch"
        )
        client = next(
            (value.decode("latin-1") for name, value in self.scope.get("headers", ()) if name == b"user-agent"), ""
        )
        self.connection = connection = WebSocketConnection(
            identity.user_id, transport, identity=identity, client=client
        )
        log_context.bind(identity.user_id, connection=connection.connection_id)
        # The connection's own context; runs have contexts of theirs.
        self.manager = create_websocket_manager(
            UserExecutionContext(identity.user_id, new_id(), new_id(), connection_id=connection.connection_id)
        )
        code: int | None = None
        try:
            try:
                await self.manager.add_connection(self)
            except (JournalUnavailable, OperationalError, InterfaceError):
                await self._refuse(
                    receive,
                    send,
                    1012,
                    "draining",
                    "The database cannot be reached right now. Try again.",
                    retry_after_ms=2000,
                )
                return
            await answer(send, {"type": "websocket.accept", "subprotocol": subprotocol})
            if connection.earlier >= conf.MAX_CONNECTIONS_PER_USER:
                await connection.close(
                    4409,
                    "too_many_connections",
                    f"You have {conf.MAX_CONNECTIONS_PER_USER} connections open. Close one, then connect again.",
                    retry_after_ms=5000,
                )
            self._first_action = asyncio.get_running_loop().call_later(conf.FIRST_ACTION_SECONDS, self._speak)
            code = await self._read(receive)
        finally:
            for timer in (self._first_action, self._first_answer):
                if timer is not None:
                    timer.cancel()
            connection.close_code = connection.close_code or code
            await self.manager.remove_connection(connection.connection_id)
            if self._closing is not None:
                await asyncio.wait([self._closing])

    async def _read(self, receive: Receive) -> int | None:
        """Read frames until the socket is gone; returns its close code."""
        turn = Turn()
        while True:
            message = await receive()
            if message["type"] == "websocket.receive":
                with turn:
                    await self._receive(message)
                if self.connection is not None:
                    await self.connection.room()
                await turn.share()  # nothing else waits while the server has more frames of this socket
            elif message["type"] == "websocket.disconnect":
                code = message.get("code")
                return code if isinstance(code, int) else None

    async def _receive(self, message: dict[str, Any]) -> None:
        connection = self.connection
        assert connection is not None
        if connection.closed:
            return
        if self._first_action is not None:
            self._first_action.cancel()  # it has come; a database that takes its time to carry it out is no silence
        text = message.get("text")
        if text is None:
            self.close(4400, "binary_frame", "Send text frames, not binary ones.")
            return
        if len(text) > conf.MAX_FRAME_BYTES or len(text) * 4 > conf.MAX_FRAME_BYTES < len(
            text.encode(errors="surrogatepass")
        ):
            self.close(4413, "frame_too_large", f"A frame may have {conf.MAX_FRAME_BYTES:,} bytes.")
            return
        connection.seen()
        if self._limited(connection, text):
            self._speak()
            return
        await self._act(connection, text)
        self._speak()

    async def _act(self, connection: WebSocketConnection, text: str) -> None:
        """One action: decode, handle, answer what goes wrong."""
        request_id: str | None = None
        try:
            action = actions.decode(text)
            request_id = action.request_id
            action_limiter.charge(connection.user_id, cost_of_threads(action.threads_named))
            await ACTION_TABLE[type(action)](self, connection, action)
        except ClientError as error:
            connection.control(frames.error_of(error, request_id))
        except (OperationalError, InterfaceError):
            connection.control(frames.error_of(JournalUnavailable(), request_id))
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - answered with an incident id
            connection.control(frames.internal_error(error, request_id))

    def _limited(self, connection: WebSocketConnection, text: str) -> bool:
        """Whether the user acts too fast; tells so, and closes who does not listen."""
        retry_after_ms = action_limiter.take(connection.user_id, cost_of(text))
        if retry_after_ms is None:
            # Who was refused once and then waited has listened. Who just goes on is let through now and then, too.
            if self._refused <= 1 and self._ignored:
                self._ignored -= 1
            self._refused = 0
            return False
        self._refused += 1
        self._ignored += 1
        if self._ignored > conf.FLOODING_AFTER:
            self.close(
                4429, "flooding", "Too many actions, in spite of rate_limited. Come back later.", retry_after_ms=5000
            )
        else:
            connection.control(
                frames.error(
                    "rate_limited",
                    "Too many actions in a short time. Wait as long as retry_after_ms says.",
                    retry_after_ms=retry_after_ms,
                    request_id=actions.request_id_of(text),
                )
            )
        return True

    def _speak(self) -> None:
        """The first action came, or its time is over."""
        if self._first_action is not None:
            self._first_action.cancel()
            self._first_action = None
            if self.connection is not None:
                self.connection.release(self.awaited)
                if self.awaited is not None:  # the answer comes first, but not for ever before everything else
                    loop = asyncio.get_running_loop()
                    self._first_answer = loop.call_later(conf.FIRST_ACTION_SECONDS, self.connection.release)

    def close(self, code: int, error_code: str, message: str, **fields: Any) -> None:
        """Close from within a handler, without waiting for a slow socket."""
        if self.connection is not None and self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(
                self.connection.close(code, error_code, message, **fields)
            )

    async def _refuse(
        self, receive: Receive, send: Send, code: int, error_code: str, message: str, **fields: Any
    ) -> None:
        """Accept, say why in one frame, close: so that a browser can tell it from a network fault."""
        subprotocol = auth.chosen_subprotocol(self.scope.get("subprotocols", ()))
        await answer(send, {"type": "websocket.accept", "subprotocol": subprotocol})
        await answer(send, {"type": "websocket.send", "text": frames.error(error_code, message, **fields)})
        try:
            await send_close(send, code)
        except Exception as error:
            raise ConnectionClosedError(f"{type(error).__name__}: {error}") from error
        while (await receive())["type"] != "websocket.disconnect":
            pass

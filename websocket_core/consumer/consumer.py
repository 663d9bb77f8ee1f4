"""The WebSocket consumer: the handshake, a loop that reads actions, and the end.

It replaces Channels' dispatch loop, in which every message hops to a thread and a handler that waits delays the next
message. Here handlers only change state or start work, so `stop_agent` and `ping` always overtake an agent.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, ClassVar

from channels.consumer import AsyncConsumer

from websocket_core import auth
from websocket_core.conf import conf
from websocket_core.connections import WebSocketConnection
from websocket_core.consumer.asgi_transport import EXTENSION, AsgiTransport, Receive, Send, answer, refuse
from websocket_core.consumer.conversation import Conversation, Stage
from websocket_core.consumer.handlers import ACTION_TABLE
from websocket_core.consumer.patience import Patience
from websocket_core.consumer.session import Session, problem_of
from websocket_core.context import UserExecutionContext
from websocket_core.database import db
from websocket_core.errors import ConnectionClosedError, JournalUnavailable, RateLimited, Unauthenticated
from websocket_core.gateway import get_gateway
from websocket_core.ids import ThreadKey, new_id
from websocket_core.limits import action_limiter, cost_of, cost_of_threads
from websocket_core.process import log_context, metrics
from websocket_core.process.lifecycle import lifecycle
from websocket_core.process.turn import Turn
from websocket_core.protocols.run_service import RunService
from websocket_core.websocket_manager import create_websocket_manager
from websocket_core.wire import NATIVE, Closing, Dialect, close_codes
from websocket_core.wire.dialect import said_in

log = logging.getLogger(__name__)


class NetraConsumer(AsyncConsumer):
    """One WebSocket.

    Args:
        run_service: returns the run service of the running event loop. The composition root injects it, so that the
            core never imports agents.
    """

    dialect: ClassVar[Dialect] = NATIVE

    def __init__(self, run_service: Callable[[], RunService] | None = None) -> None:
        self.run_service = run_service() if run_service is not None else None
        self.connection: WebSocketConnection | None = None  # the manager reads this attribute

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one socket (ASGI)."""
        get_gateway().serve()
        await receive()  # websocket.connect
        try:
            try:
                identity = await auth.identify(scope)
            except auth.OriginRefused:
                await answer(send, {"type": "websocket.close"})  # before the accept, so HTTP 403
                return
            except Unauthenticated as error:
                closing: Closing | None = close_codes.refused_credentials(error)
            except db.OUTAGE:
                closing = close_codes.DATABASE_AWAY
            else:
                closing = close_codes.SHUTTING_DOWN if lifecycle.draining else None
                closing = closing or await self._serve(identity, scope, receive, send)
            if closing is not None:
                metrics.errors_sent.labels(closing.error_code).inc()
                last_words = said_in(self.dialect, [closing.frame()])
                await refuse(receive, send, _subprotocol(scope), last_words, closing.close_code)
        except ConnectionClosedError as error:
            log.info("a client disconnected during the handshake: %s", error)

    async def _serve(
        self, identity: auth.Identity, scope: dict[str, Any], receive: Receive, send: Send
    ) -> Closing | None:
        """Accept the client and serve it until the socket is gone. Returns the reason if it is refused."""
        subprotocol = _subprotocol(scope)
        extension = (scope.get("extensions") or {}).get(EXTENSION)
        self.connection = connection = WebSocketConnection(
            identity.user_id,
            AsgiTransport(send, extension, batch=subprotocol == "netra.v1.batch"),
            identity=identity,
            client=_user_agent(scope),
            dialect=self.dialect,
        )
        log_context.bind(identity.user_id, connection=connection.connection_id)
        # The connection has its own context; runs have others.
        manager = create_websocket_manager(
            UserExecutionContext(identity.user_id, new_id(), new_id(), connection_id=connection.connection_id)
        )
        conversation = Conversation(connection)
        code: int | None = None
        try:
            try:
                await manager.add_connection(self)
            except (JournalUnavailable, *db.OUTAGE):
                return close_codes.DATABASE_AWAY
            await answer(send, {"type": "websocket.accept", "subprotocol": subprotocol})
            if connection.earlier >= (limit := conf.MAX_CONNECTIONS_PER_USER):
                conversation.close(close_codes.TOO_MANY_CONNECTIONS.saying(limit=limit))
            conversation.accepted()
            session = Session(connection, manager, self.run_service, conversation.close)
            code = await _read(conversation, session, receive)
            return None
        finally:
            conversation.end()
            connection.close_code = connection.close_code or code
            await manager.remove_connection(connection.connection_id)
            await conversation.closed()


async def _read(conversation: Conversation, session: Session, receive: Receive) -> int | None:
    """Read frames until the socket is gone, and return its close code."""
    turn, patience = Turn(), Patience()
    while True:
        message = await receive()
        if message["type"] == "websocket.receive":
            with turn:
                if conversation.stage is not Stage.CLOSING and not session.connection.closed:
                    await _receive(message.get("text"), conversation, session, patience)
            await session.connection.room()
            await turn.share()  # the loop never yields while the server has more frames of this socket
        elif message["type"] == "websocket.disconnect":
            code = message.get("code")
            return code if isinstance(code, int) else None


async def _receive(text: str | None, conversation: Conversation, session: Session, patience: Patience) -> None:
    """Process one frame; `None` is a binary one."""
    conversation.heard()
    if text is None:
        conversation.close(close_codes.BINARY_FRAME)
    elif _is_too_large(text):
        conversation.close(close_codes.FRAME_TOO_LARGE.saying(limit=conf.MAX_FRAME_BYTES))
    else:
        session.connection.seen()
        conversation.speak(await _act(text, session, patience))


async def _act(text: str, session: Session, patience: Patience) -> ThreadKey | None:
    """Process one action: charge for it, decode it, carry it out, and report errors.

    Returns:
        The thread in which an event answers it, if there is one.
    """
    connection = session.connection
    request_id: str | None = None
    try:
        retry_after_ms = action_limiter.take(connection.user_id, cost_of(text))
        if retry_after_ms is None:
            patience.let_through()
        elif patience.refuse():
            session.close(close_codes.FLOODING)
            return None
        else:
            request_id = connection.dialect.request_id_of(text)
            raise RateLimited(retry_after_ms=retry_after_ms)
        action = connection.dialect.decode(text)
        request_id = action.request_id
        action_limiter.charge(connection.user_id, cost_of_threads(action.threads_named))
        return await ACTION_TABLE[type(action)](session, action)
    except Exception as error:  # noqa: BLE001 - other errors are answered with an incident id
        connection.refuse(problem_of(error), request_id)
        return None


def _is_too_large(text: str) -> bool:
    """Whether a frame has more than the allowed number of bytes. No character takes more than four."""
    limit: int = conf.MAX_FRAME_BYTES
    chars = len(text)
    return chars > limit or chars * 4 > limit < len(text.encode(errors="surrogatepass"))


def _subprotocol(scope: dict[str, Any]) -> str | None:
    return auth.chosen_subprotocol(scope.get("subprotocols", ()))


def _user_agent(scope: dict[str, Any]) -> str:
    return next((value.decode("latin-1") for name, value in scope.get("headers", ()) if name == b"user-agent"), "")

"""One WebSocket: Daphne's protocol with limits in both directions, close codes that arrive, and a fast path out."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, ClassVar

from autobahn.websocket.protocol import TrafficStats
from autobahn.websocket.types import ConnectionDeny

from netra.server.websocket.framing import EXTENSION, server_binary_frame, server_frame, server_frames
from netra.server.websocket.handshake_headers import plain_headers
from netra.server.websocket.incoming import IncomingMessages
from netra.server.websocket.last_words import SENDABLE, close_reason, error_frame
from websocket_core.wire import Closing
from websocket_core.wire.close_codes import FLOODING_PINGS, TOO_SLOW

log = logging.getLogger(__name__)

PING = b"\x89\x00"
# Private or undocumented names of Daphne and Autobahn that this module and its base use; a test fails when one is gone.
PRIVATE = [
    *(
        "CONFIG_ATTRS",
        "consumeData",
        "dropConnection",
        "failHandshake",
        "onFrameBegin",
        "onMessageBegin",
        "onMessageEnd",
    ),
    *("onMessageFrameBegin", "onMessageFrameData", "onMessageFrameEnd", "processData", "sendCloseFrame", "sendData"),
    *("succeedHandshake", "_closeConnection", "_connectionMade", "_dataReceived", "_invalid_payload"),
]
PRIVATE_OF_INSTANCES = [
    "current_frame",
    "data",
    "failedByMe",
    "is_closed",
    "is_open",
    "state",
    "trafficStats",
    "wasNotCleanReason",
]
# Data that only the handshake needs. It is dropped afterwards: it would add half to the cost of an idle connection.
HANDSHAKE_ONLY = [
    *("application_deferred", "clean_headers", "http_headers", "http_request_data", "http_request_host"),
    *("http_request_params", "http_request_path", "http_request_uri", "http_response_data", "http_status_line"),
    *("request", "send_queue", "utf8validator", "websocket_extensions", "websocket_origin", "websocket_protocols"),
    *("_raw_query_string", "_transport_details", "_wskey"),
]
# Autobahn counts traffic, but nothing reads the counts: one object for all connections is enough.
STATISTICS = TrafficStats()  # type: ignore[no-untyped-call]


class WebSocketProtocol(IncomingMessages):
    """One WebSocket connection, from the handshake to the end.

    For the application, it is an ASGI connection: `send` is the application's `send`, and `receive` reads the inbox.
    """

    CONFIG_ATTRS: ClassVar[tuple[str, ...]] = ()  # class attributes instead: see protocol_class()

    path = b""
    client_addr: list[Any] | None = None
    pinged = 0.0
    moved = 0  # what the transport had moved at `moved_at`
    moved_at = 0.0
    closed_at = 0.0

    # --- life

    def connectionMade(self) -> None:  # noqa: N802
        """Start the handshake."""
        # Daphne passes on the transport of an HTTP channel, which stays registered as its producer: the request and
        # its headers would live as long as the socket.
        self.transport.unregisterProducer()
        self.factory.server_class.http_factory.sockets[self.transport] = None
        self.heard = self.pinged = self.moved_at = time.monotonic()
        super().connectionMade()
        self.trafficStats = STATISTICS

    def onConnect(self, request: Any) -> Any:  # noqa: N802
        """Ask the application whether it accepts. Returns a deferred of the subprotocol.

        Raises:
            ConnectionDeny: the server is draining, or the request cannot be expressed in ASGI.
        """
        self.asked = True
        server = self.factory.server_class
        if server.draining:
            raise _deny(503)
        headers = request.headers = plain_headers(self.http_request_data)
        if not (all(map(str.isascii, headers)) and headers.get("sec-websocket-protocol", "").isascii()):
            raise _deny(400)
        return super().onConnect(request)

    def failHandshake(  # noqa: N802
        self,
        reason: str,
        code: int = 400,
        responseHeaders: Any = None,  # noqa: N803
    ) -> None:
        """Refuse a request that is not a handshake. A malformed origin is refused like another site's."""
        super().failHandshake(reason, 403 if "Origin header" in reason else code, responseHeaders)

    def onOpen(self) -> None:  # noqa: N802
        """The application accepted."""
        if self.server.action_logger:
            self._log_action("connected")
        for name in HANDSHAKE_ONLY:
            self.__dict__.pop(name, None)
        self.__dict__ = dict(self.__dict__)  # a dict never shrinks on its own
        if self.early:
            self.on_room()

    def close(self, code: int, reason: str = "") -> None:
        """Start to close: queue the close frame, tell the application, cut the connection after `Limits.cut`."""
        if self.state == self.STATE_CONNECTING:
            self.refuse(503 if code == 1012 else 403)
            self._tell_disconnect(code)
        else:
            self.sendCloseFrame(code, close_reason(reason) or None)

    def sendCloseFrame(  # noqa: N802
        self,
        code: int | None = None,
        reasonUtf8: bytes | None = None,  # noqa: N803
        isReply: bool = False,  # noqa: N803
    ) -> None:
        """Queue a close frame: ours, the answer to the client's, or Autobahn's when the client broke a rule."""
        super().sendCloseFrame(code, reasonUtf8, isReply)
        self.closed_at = time.monotonic()
        code = self.remoteCloseCode if isReply else code
        self._tell_disconnect(code if code is not None else 1005)
        # Resume reading, for the client's own close frame; other data is discarded.
        self.transport.resumeProducing()

    def refuse(self, status: int) -> None:
        """Answer the handshake with an HTTP status."""
        deferred = self.__dict__.pop("handshake_deferred", None)
        if deferred is not None:
            deferred.errback(_deny(status))
            self.server.log_action("websocket", "rejected", {"path": self.path.decode(), "client": self.client_addr})

    def application_ended(self, error: BaseException | None) -> None:
        """The application has ended before the connection."""
        if self.state == self.STATE_CONNECTING:
            self.refuse(403 if error is None else 500)
        else:
            self.close(1000 if error is None else 1011)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:  # noqa: N802, N803
        """The TCP connection is gone."""
        if not self.asked or not hasattr(self, "server"):
            return  # the handshake failed before there was an application
        self._tell_disconnect(code if code is not None else 1005)
        self.server.protocol_disconnected(self)
        if self.server.action_logger:
            self._log_action("disconnected")

    def connectionLost(self, reason: Any = None) -> None:  # noqa: N802
        """Twisted's end of the connection."""
        super().connectionLost(reason)
        self.is_closed = self.is_open = None  # they refer back to this protocol: a reference cycle

    def _tell_disconnect(self, code: int) -> None:
        self.transport.release()
        if self.application_queue is not None and not self.disconnect_told:
            self.disconnect_told = True
            self.application_queue.end({"type": "websocket.disconnect", "code": code})

    def _closeConnection(self, abort: bool = False) -> None:  # noqa: N802
        self.closed_at = time.monotonic()
        # After a closing handshake there is nothing to abort, but some data may still have to be written.
        super()._closeConnection(abort and not self.wasClean)

    def _log_action(self, action: str) -> None:
        client = ":".join(map(str, self.client_addr)) if self.client_addr else None
        self.server.log_action("websocket", action, {"path": self.path.decode(), "client": client})

    def flooded(self) -> None:
        """Too many frames have arrived: say so, and read nothing more until the connection is cut."""
        if self.state == self.STATE_OPEN:
            self._end(FLOODING_PINGS)
        self.deaf = True

    def _end(self, closing: Closing) -> None:
        """Say why, then close."""
        self.transport.write(error_frame(closing))
        self.close(closing.close_code)

    # --- from the application

    async def send(self, message: dict[str, Any]) -> None:
        """Send an ASGI message; wait while the client is behind. Messages to a closed connection are ignored.

        Raises:
            ValueError: the message is invalid, or invalid at this point.
        """
        if self.disconnect_told or self.state == self.STATE_CLOSED:
            return
        kind = message["type"]
        if kind == EXTENSION:
            payload = message.get("payload")
            self._write(server_frames(message["texts"]) if payload is None else payload)
        elif kind == "websocket.send":
            text = message.get("text")
            if text is not None:
                self._write(server_frame(text))
            elif message.get("bytes") is not None:
                self._write(server_binary_frame(message["bytes"]))
            else:
                raise ValueError("websocket.send needs 'text' or 'bytes'.")
        elif kind == "websocket.accept":
            self._accept(message.get("subprotocol"))
        elif kind == "websocket.close":
            code = message.get("code") or 1000
            if code not in SENDABLE:
                raise ValueError(f"{code} is not a code that a close frame may contain.")
            self.close(code, message.get("reason") or "")
        else:
            raise ValueError(f"An application cannot send {kind!r} to a WebSocket.")
        limits = self.server.limits
        if self.transport.pending > limits.high_water:
            await self.transport.drained(limits.low_water)

    def write_frames(self, texts: Sequence[str]) -> bool:
        """Send each text as a separate frame, immediately, without a turn of the event loop.

        Returns:
            Whether there is room for more; if not, the next `send` waits for it. Nothing is written to a closed
            connection.
        """
        if (
            self.state == self.STATE_OPEN
            and not self.disconnect_told
            and self.transport.write_now(server_frames(texts))
        ):
            return True
        pending: int = self.transport.pending
        return pending <= self.server.limits.high_water

    def _accept(self, subprotocol: str | None) -> None:
        if self.state != self.STATE_CONNECTING:
            raise ValueError("This WebSocket is accepted already.")
        if subprotocol is not None and subprotocol not in self.websocket_protocols:
            raise ValueError(f"The client did not offer the subprotocol {subprotocol!r}.")
        self.serverAccept(subprotocol)

    def _write(self, frames: bytes) -> None:
        if self.state == self.STATE_CONNECTING:
            raise ValueError("This WebSocket is not accepted yet.")
        if self.state == self.STATE_OPEN:
            self.transport.write(frames)

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:  # noqa: N802
        """Write data from Autobahn (control frames, the handshake); its own method logs and counts every piece."""
        self.transport.write(data)

    # --- from the clock

    def check_timeouts(self) -> None:
        """Check the time limits. Called every `Limits.tick`."""
        limits, now = self.server.limits, time.monotonic()
        if self.state == self.STATE_OPEN:
            pending = self.transport.pending
            if not pending or self.transport.moved != self.moved:
                self.moved, self.moved_at = self.transport.moved, now
            if now - self.moved_at > limits.stall:
                self._end(TOO_SLOW)
            elif now - self.heard > limits.silence and not self.is_full:
                self.wasNotCleanReason = "the client sent nothing"
                self.dropConnection(abort=True)
            else:
                if now - self.pinged > limits.ping:
                    self.pinged = now
                    self.transport.write(PING)
                if self.late_pong is not None and pending <= limits.low_water:
                    payload, self.late_pong = self.late_pong, None
                    self.sendPong(payload)
        elif self.state == self.STATE_CONNECTING:
            if now - self.moved_at > limits.handshake:
                log.warning("The application did not accept a WebSocket in time: %s", self.path.decode())
                self.refuse(503)
        elif now - self.closed_at > limits.cut:
            # The client did not answer the close frame, or does not read, so the close cannot be written.
            self.wasNotCleanReason = "the client did not close in time"
            self.dropConnection(abort=True)
            self.transport.abortConnection()


def _deny(status: int) -> ConnectionDeny:
    return ConnectionDeny(status, HTTPStatus(status).phrase)  # type: ignore[no-untyped-call]

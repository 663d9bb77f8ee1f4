"""Collects a client's frames into messages, within limits, and pauses reading while the application is behind."""

from __future__ import annotations

import time
from typing import Any

from daphne.ws_protocol import WebSocketProtocol as DaphneWebSocketProtocol

from netra.server.ports import ServerSide
from netra.server.websocket.inbox import Inbox

WHOLE_MESSAGE = (1, 2, 8)  # opcodes; with the final bit. A close frame is the last one anyway
EARLY = 64 * 1024  # bytes that may wait for the application to accept


class IncomingMessages(DaphneWebSocketProtocol):
    """The half of a WebSocket from the client to the application's inbox."""

    server: ServerSide
    transport: Any
    application_queue: Inbox | None = None

    asked = False  # the application was asked whether it accepts
    disconnect_told = False  # the application has (or has in its inbox) its websocket.disconnect
    heard = 0.0  # when the client last sent anything
    early = b""  # received before the application has accepted
    message_data: Any = None
    fragments_full_at = 0.0  # when `Limits.fragments` frames may arrive at once again
    resting = False  # other connections have their turn; the buffer contains more frames
    deaf = False  # further data is discarded unread
    late_pong: bytes | None = None  # the answer to the last ping, until there is room for it

    def applicationCreateWorked(self, application_queue: Inbox | None) -> None:  # noqa: N802
        """The application has started; this is its inbox."""
        if application_queue is not None:
            super().applicationCreateWorked(application_queue)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """Bytes came in."""
        self.heard = time.monotonic()
        if self.deaf:
            return
        if self.state == self.STATE_CONNECTING and self.asked:
            self.early += data
            if len(self.early) > EARLY:
                self.transport.pauseProducing()
        elif self.state != self.STATE_CLOSED:
            self._dataReceived(data)
            if self.is_full:
                self.transport.pauseProducing()

    @property
    def is_full(self) -> bool:
        """Whether the application has enough to read."""
        return self.application_queue is not None and self.application_queue.full

    def consumeData(self) -> None:  # noqa: N802
        """Autobahn's loop over the frames in its buffer. It stops when the application has enough to read, and pauses
        for a turn of the event loop when it has taken long.
        """
        if self.state == self.STATE_CONNECTING:
            super().consumeData()
            return
        if self.resting:
            return
        end = time.perf_counter() + self.server.limits.slice
        while self.state != self.STATE_CLOSED and not self.is_full and not self.deaf and self.processData():
            if time.perf_counter() > end:
                self.resting = True
                self.transport.pauseProducing()
                self.server.loop.call_soon(self._go_on)
                break
        if self.deaf:
            self.data = b""

    def _go_on(self) -> None:
        """Continue after the other connections' turn."""
        self.resting = False
        if self.state == self.STATE_CLOSED:
            return
        self._dataReceived(b"")
        if not self.is_full and not self.resting:
            self.transport.resumeProducing()

    def onFrameBegin(self) -> None:  # noqa: N802
        """A frame has begun. Complete messages are counted by their reader; all other frames are counted here."""
        frame = self.current_frame
        if (not frame.fin or frame.opcode not in WHOLE_MESSAGE) and self._floods(10 if frame.opcode > 7 else 1):
            self.flooded()
        super().onFrameBegin()

    def _floods(self, cost: int) -> bool:
        """Count a frame that is not a complete message."""
        limits, now = self.server.limits, time.monotonic()
        self.fragments_full_at = max(self.fragments_full_at, now) + cost / limits.fragments_per_second
        return (self.fragments_full_at - now) * limits.fragments_per_second > limits.fragments

    def flooded(self) -> None:
        """Too many frames have arrived."""
        raise NotImplementedError

    def on_room(self) -> None:
        """The application has caught up: continue."""
        if self.state == self.STATE_CONNECTING:
            return
        self.heard = time.monotonic()  # it had no chance before
        early, self.early = self.early, b""
        self._dataReceived(early)  # and what is in Autobahn's buffer
        if not self.is_full and not self.resting:
            self.transport.resumeProducing()

    def onMessageBegin(self, isBinary: bool) -> None:  # noqa: N802, N803
        """Collect a message in one buffer: a list of its fragments would grow with their number, not their size."""
        self.message_is_binary = isBinary
        self.message_data = bytearray()
        self.message_data_total_length = 0

    def onMessageFrameData(self, payload: bytes) -> None:  # noqa: N802
        """A part of a message."""
        if not self.failedByMe:
            self.message_data += payload

    def onMessageFrameEnd(self) -> None:  # noqa: N802
        """A frame of a message is complete."""

    def onMessageEnd(self) -> None:  # noqa: N802
        """A message is complete."""
        data, self.message_data = self.message_data, None
        if self.failedByMe or self.disconnect_told or self.application_queue is None:
            return
        if self.message_is_binary:
            message = {"type": "websocket.receive", "bytes": bytes(data)}
        else:
            try:
                message = {"type": "websocket.receive", "text": data.decode()}
            except UnicodeDecodeError:
                self._invalid_payload("a text message is not UTF-8")
                return
        self.application_queue.put_nowait(message, len(data))

    def onPing(self, payload: bytes) -> None:  # noqa: N802
        """Answer a ping; if the client is not reading, answer only the last one, and later."""
        if self.transport.pending > self.server.limits.low_water:
            self.late_pong = payload
        else:
            self.sendPong(payload)

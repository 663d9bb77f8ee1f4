"""Which side may speak on a socket, from the handshake to the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from websocket_core.conf import conf
from websocket_core.connections import WebSocketConnection
from websocket_core.ids import ThreadKey
from websocket_core.wire import Closing


class Stage(Enum):
    """The stages of a socket. Each follows the one before; the last may follow any of them."""

    HANDSHAKE = auto()  # not accepted yet
    SILENT = auto()  # the server waits some seconds for the client's first action
    SPEAKING = auto()
    CLOSING = auto()  # frames of the client are ignored


class Conversation:
    """The stages of one socket, with the timers and the task that move it from one to the next."""

    __slots__ = ("_closing", "_connection", "_timer", "stage")

    def __init__(self, connection: WebSocketConnection) -> None:
        self.stage = Stage.HANDSHAKE
        self._connection = connection
        self._timer: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None

    def accepted(self) -> None:
        """End the handshake: be silent until the first action arrives or the wait for it ends."""
        if self.stage is Stage.HANDSHAKE:
            self.stage = Stage.SILENT
            self._call_later(self.speak)

    def heard(self) -> None:
        """A frame has arrived: stop the timer. A slow database does not count as silence of the client."""
        if self.stage is Stage.SILENT:
            self._cancel()

    def speak(self, awaited: ThreadKey | None = None) -> None:
        """End the silence.

        Args:
            awaited: the thread in which an event answers the first action. The answer is sent first, but delays
                everything else only for a limited time.
        """
        if self.stage is Stage.SILENT:
            self.stage = Stage.SPEAKING
            self._cancel()
            self._connection.release(awaited)
            if awaited is not None:
                self._call_later(self._connection.release)

    def close(self, closing: Closing, **fields: Any) -> None:
        """Begin to close, without waiting for a slow socket.

        Args:
            closing: the reason.
            fields: additional fields of the last `error` frame.
        """
        if self.stage is not Stage.CLOSING:
            self.stage = Stage.CLOSING
            self._cancel()
            self._closing = asyncio.get_running_loop().create_task(self._connection.close(closing, **fields))

    def end(self) -> None:
        """The socket is gone or about to go: nothing more is started."""
        self.stage = Stage.CLOSING
        self._cancel()

    async def closed(self) -> None:
        """Wait until a close in progress is done."""
        if self._closing is not None:
            await asyncio.wait([self._closing])

    def _call_later(self, callback: Callable[[], None]) -> None:
        self._timer = asyncio.get_running_loop().call_later(conf.FIRST_ACTION_SECONDS, callback)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

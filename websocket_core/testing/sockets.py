"""For tests of projects that build on Netra: a websocket that records, and a client that speaks the protocol.

    websocket = RecordingWebSocket()
    await manager.add_connection(websocket)

    async with connect(application, token) as client:       # any ASGI application that contains Netra's consumer
        started = await client.start("weather", input={"city": "Oslo"})
        events = await client.finish(started)               # the complete run, in order

An `OrderOracle` verifies everything that a client receives. A gap, a repeated event that no `replaying` announced, or a
run that breaks the grammar fails the test at the point where it happens.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from channels.testing.websocket import WebsocketCommunicator

from websocket_core.testing.client import PATIENCE, Client, SocketClosed
from websocket_core.testing.oracle import OrderOracle, ProtocolViolation, check_run, ends, texts_of

__all__ = [
    "Client",
    "InProcessSocket",
    "OrderOracle",
    "ProtocolViolation",
    "RecordingWebSocket",
    "SocketClosed",
    "check_run",
    "connect",
    "ends",
    "texts_of",
]


class RecordingWebSocket:
    """A bare websocket that keeps what it is sent, for `manager.add_connection`.

    Attributes:
        texts: every text sent, in order.
        close_code: the code with which it was closed, or `None`.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.close_code: int | None = None
        self._more = asyncio.Event()

    async def send(self, text: str) -> None:
        """Keep a text."""
        self.texts.append(text)
        self._more.set()

    async def close(self, code: int = 1000) -> None:
        """Keep the close code."""
        self.close_code = code

    @property
    def frames(self) -> list[dict[str, Any]]:
        """Everything sent, decoded."""
        return [msgspec.json.decode(text) for text in self.texts]

    @property
    def event_types(self) -> list[str]:
        """The `event_type` of everything sent."""
        return [frame["event_type"] for frame in self.frames]

    async def wait_for(self, event_type: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait for the first frame of this type, and return it.

        Raises:
            TimeoutError: it did not arrive in time.
        """
        async with asyncio.timeout(seconds):
            while True:
                self._more.clear()
                for frame in self.frames:
                    if frame["event_type"] == event_type:
                        return frame
                await self._more.wait()


class InProcessSocket:
    """A WebSocket to an ASGI application in this event loop, without a network (Channels' `WebsocketCommunicator`)."""

    def __init__(self, communicator: WebsocketCommunicator, subprotocol: str | None) -> None:
        self.communicator = communicator
        self.subprotocol = subprotocol
        self._closed: int | None = None
        self._next: asyncio.Future[dict[str, Any]] | None = None  # survives a cancelled `recv`

    @classmethod
    async def open(
        cls,
        application: Any,
        *,
        path: str = "/ws",
        headers: Sequence[tuple[bytes, bytes]] = (),
        subprotocols: Sequence[str] = (),
        seconds: float = PATIENCE,
    ) -> InProcessSocket:
        """Open a WebSocket to `application`.

        Raises:
            SocketClosed: the handshake was refused (over a network: HTTP 403).
        """
        communicator = WebsocketCommunicator(application, path, headers=list(headers), subprotocols=list(subprotocols))
        accepted, answer = await communicator.connect(seconds)
        if not accepted:
            raise SocketClosed(None)
        return cls(communicator, answer)

    async def send(self, text: str) -> None:
        """Send a text frame."""
        await self.communicator.send_input({"type": "websocket.receive", "text": text})

    async def send_bytes(self, data: bytes) -> None:
        """Send a binary frame."""
        await self.communicator.send_input({"type": "websocket.receive", "bytes": data})

    async def recv(self) -> str:
        """Wait for the next text frame.

        Raises:
            SocketClosed: the application has closed the socket.
            Exception: whatever the application raised.
        """
        if self._closed is not None:
            raise SocketClosed(self._closed)
        # Not `receive_output`: it ends the application if nothing arrives in time.
        output = self._next = self._next or asyncio.ensure_future(self.communicator.output_queue.get())
        ended = self.communicator.future
        await asyncio.wait({output, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not output.done():
            ended.result()
            raise SocketClosed(None)
        self._next = None
        message = output.result()
        if message["type"] == "websocket.close":
            self._closed = message.get("code", 1000)
            raise SocketClosed(self._closed)
        text: str = message["text"]
        return text

    async def close(self, code: int = 1000, seconds: float = PATIENCE) -> None:
        """Close the socket, and wait until the application has noticed."""
        if self._next is not None:
            self._next.cancel()
        if not self.communicator.future.done():
            await self.communicator.send_input({"type": "websocket.disconnect", "code": code})
            await self.communicator.wait(seconds)


@asynccontextmanager
async def connect(
    application: Any, token: str, *, oracle: OrderOracle | None = None, **options: Any
) -> AsyncIterator[Client]:
    """Connect to an ASGI application in this event loop, with a bearer token.

    Args:
        oracle: see `Client`.
        options: of `InProcessSocket.open`.
    """
    headers = [(b"host", b"localhost"), (b"authorization", b"Bearer " + token.encode()), *options.pop("headers", ())]
    client = Client(await InProcessSocket.open(application, headers=headers, **options), oracle)
    try:
        yield client
    finally:
        await client.close()

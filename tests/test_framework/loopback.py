"""A real WebSocket over the loopback interface. The test holds both ends."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Self

import websockets
from websockets.asyncio.server import Server, ServerConnection, serve

PATIENCE = 20.0


class LoopbackWebSocket:
    """A manager sends through the server's end (`send`); the test reads from the client's end (`receive_json`).

    Attributes:
        client: the client's end, a connection of the `websockets` package.
        server: the server's end, likewise.
    """

    def __init__(self, listener: Server, server: ServerConnection, client: websockets.ClientConnection) -> None:
        self._listener = listener
        self.server = server
        self.client = client

    @classmethod
    async def open(cls) -> Self:
        """Listen on a free port and connect to it."""
        accepted: asyncio.Future[ServerConnection] = asyncio.get_running_loop().create_future()

        async def handle(connection: ServerConnection) -> None:
            accepted.set_result(connection)
            await connection.wait_closed()

        listener = await serve(handle, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        client = await websockets.connect(f"ws://127.0.0.1:{port}", proxy=None)
        return cls(listener, await accepted, client)

    async def send(self, text: str) -> None:
        """Send from the server's end."""
        await self.server.send(text)

    async def receive(self, seconds: float = PATIENCE) -> str:
        """Wait for a text message at the client's end."""
        async with asyncio.timeout(seconds):
            text = await self.client.recv()
        assert isinstance(text, str), "the server sent a binary frame"
        return text

    async def receive_json(self, seconds: float = PATIENCE) -> Any:
        """Wait for a frame at the client's end, and decode it."""
        return json.loads(await self.receive(seconds))

    async def close(self, code: int = 1000) -> None:
        """Close from the server's end and stop listening. May be called repeatedly."""
        await self.server.close(code)
        await self.client.close()
        self._listener.close()
        await self._listener.wait_closed()

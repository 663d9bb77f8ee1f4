"""A client that speaks the wire protocol over any socket and verifies what it receives with an oracle."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from websocket_core.ids import new_id
from websocket_core.testing.oracle import OrderOracle, check_run

PATIENCE = 20.0  # seconds to wait for an expected frame; long enough for a busy machine


class SocketClosed(ConnectionError):
    """The server has closed the socket.

    Attributes:
        code: the close code; `None` if the connection ended without one.
    """

    def __init__(self, code: int | None) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


class ClientSocket(Protocol):
    """The socket of a `Client`: an `InProcessSocket`, or something similar over a real network."""

    async def send(self, text: str) -> None:
        """Send a text frame."""

    async def recv(self) -> str:
        """Wait for the next text frame. Raises `SocketClosed` if there are no more."""

    async def close(self) -> None:
        """Close the socket."""


class Client:
    """Speaks the wire protocol and verifies what it receives.

    Args:
        socket: an open socket.
        oracle: has the frames of the client's earlier connections. A new client has a new oracle.

    Attributes:
        frames: every frame received, decoded, in order.
    """

    def __init__(self, socket: ClientSocket, oracle: OrderOracle | None = None) -> None:
        self.socket = socket
        self.oracle = oracle or OrderOracle()
        self.frames: list[dict[str, Any]] = []
        self._waiting: deque[dict[str, Any]] = deque()

    async def send(self, action: str, **fields: Any) -> None:
        """Send an action. Fields that are `None` are left out."""
        message = {"action": action, **{name: value for name, value in fields.items() if value is not None}}
        await self.send_json(message)

    async def send_json(self, message: Any) -> None:
        """Send any value as JSON."""
        await self.socket.send(msgspec.json.encode(message).decode())

    async def send_text(self, text: str) -> None:
        """Send a text unchanged."""
        await self.socket.send(text)

    async def receive_json(self, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait for the next frame of any type.

        Raises:
            TimeoutError: none arrived in time.
            SocketClosed: the server closed the socket.
            ProtocolViolation: the frame breaks the protocol.
        """
        async with asyncio.timeout(seconds):
            while not self._waiting:
                text = await self.socket.recv()
                for one in _unpacked(text):
                    self._waiting.append(self.oracle.feed(one))
        frame = self._waiting.popleft()
        self.frames.append(frame)
        return frame

    async def until(self, event_type: str, seconds: float = PATIENCE, **fields: Any) -> dict[str, Any]:
        """Receive frames until one has this type and these fields, and return it.

        Raises:
            AssertionError: an unexpected `error` arrived.
        """
        async with asyncio.timeout(seconds):
            while True:
                frame = await self.receive_json(seconds)
                if frame["event_type"] == event_type and fields.items() <= frame.items():
                    return frame
                assert frame["event_type"] != "error", f"waiting for {event_type} {fields}, but: {frame}"

    async def receive_until(self, condition: Callable[[dict[str, Any]], bool], seconds: float = PATIENCE) -> None:
        """Receive frames until one satisfies the condition."""
        async with asyncio.timeout(seconds):
            while not condition(await self.receive_json(seconds)):
                pass

    async def receive_nothing(self, seconds: float = 0.2) -> bool:
        """Whether nothing arrives for this long."""
        try:
            await self.receive_json(seconds)
        except TimeoutError:
            return True
        return False

    async def ask(self, action: str, **fields: Any) -> dict[str, Any]:
        """Send an action with a new `request_id`, and return the control frame that answers it."""
        request_id = new_id()
        await self.send(action, request_id=request_id, **fields)
        answer: dict[str, Any] = {}
        async with asyncio.timeout(PATIENCE):
            while answer.get("request_id") != request_id:
                answer = await self.receive_json()
        return answer

    async def start(self, agent_type: str, **fields: Any) -> dict[str, Any]:
        """Start an agent, and return its `agent_started`."""
        run_id = fields.pop("run_id", None) or new_id()
        await self.send("start_agent", agent_type=agent_type, run_id=run_id, **fields)
        return await self.until("agent_started", run_id=run_id)

    async def finish(self, run: Mapping[str, Any], seconds: float = PATIENCE) -> list[dict[str, Any]]:
        """Receive frames until a run is over. Returns all its events and verifies that the run is complete and legal.

        Args:
            run: any event of the run.
        """
        thread_id, run_id = run["thread_id"], run["run_id"]
        async with asyncio.timeout(seconds):
            while not self.oracle.is_over(thread_id, run_id) or self._waiting:
                await self.receive_json(seconds)
        events = self.oracle.run(thread_id, run_id)
        check_run(events)
        return events

    async def closed(self, seconds: float = PATIENCE) -> int | None:
        """Receive frames until the server closes the socket, and return the close code."""
        async with asyncio.timeout(seconds):
            try:
                while True:
                    await self.receive_json(seconds)
            except SocketClosed as end:
                return end.code

    async def close(self) -> None:
        """Close the socket."""
        await self.socket.close()


def _unpacked(text: str) -> list[str]:
    """The frames in a text frame. With the subprotocol `netra.v1.batch`, it is an array of frames."""
    if not text.startswith("["):
        return [text]
    return [bytes(raw).decode() for raw in msgspec.json.decode(text, type=list[msgspec.Raw])]

"""Many connections from one process: they connect together, count what they receive, and disconnect abruptly."""

import asyncio
import json
import socket
from collections.abc import Sequence
from typing import Any, Self

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

AT_ONCE = 200  # handshakes under way, so that the kernel's queue of connections is not what is tested

COMPLETED = b'"event_type":"agent_completed"'


class Member(WSListener):
    """One connection."""

    def __init__(self, swarm: "Swarm") -> None:
        self.swarm = swarm
        self.transport: Any = None
        self.frames = self.completed = 0

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            self.swarm.closed += 1
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT:
            self.frames += 1
            self.completed += COMPLETED in frame.get_payload_as_memoryview().tobytes()
            self.swarm.changed.set()

    def act(self, action: str, **fields: Any) -> None:
        self.transport.send(WSMsgType.TEXT, json.dumps({"action": action, **fields}).encode())


class Swarm:
    """Connections, one for each token.

    Attributes:
        closed: connections that the server has closed.
    """

    def __init__(self, url: str, tokens: Sequence[str]) -> None:
        self.url, self.tokens = url, tokens
        self.members: list[Member] = []
        self.closed = 0
        self.changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        gate = asyncio.Semaphore(AT_ONCE)

        async def connect(token: str) -> Member:
            member = Member(self)
            async with gate:
                await ws_connect(
                    lambda: member,
                    self.url,
                    extra_headers={"Authorization": f"Bearer {token}"},
                    websocket_handshake_timeout=60,
                )
            member.act("ping")
            return member

        self.members = list(await asyncio.gather(*map(connect, self.tokens)))
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Cut: no close frame, no orderly end of the TCP connection."""
        for member in self.members:
            sock = member.transport.underlying_transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            member.transport.disconnect(graceful=False)
        await asyncio.sleep(0)

    async def wait_until(self, condition: Any, seconds: float) -> None:
        """Wait until `condition(member)` holds for every one."""
        async with asyncio.timeout(seconds):
            while not all(condition(member) for member in self.members):
                self.changed.clear()
                await self.changed.wait()

"""A client whose socket may be cut: it comes back and resumes, as `netra-client.js` does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from websocket_core.ids import new_id
from websocket_core.testing.client import PATIENCE, Client, ClientSocket

OnEvent = Callable[["ReturningClient", int], Awaitable[None]]


class ReturningClient(Client):
    """Verifies, over all of its sockets together, that no event is missing, repeated or changed.

    Args:
        open_socket: opens one more socket of the same user.
        on_event: called after each event that arrived on any of the sockets, with how many these are by now.
        socket: the first one.
    """

    def __init__(
        self, open_socket: Callable[[], Awaitable[ClientSocket]], on_event: OnEvent, socket: ClientSocket
    ) -> None:
        super().__init__(socket)
        self._open_socket, self._on_event = open_socket, on_event
        self._events = 0
        self._starts: dict[str, dict[str, Any]] = {}  # by run_id: those of which no event was seen yet

    async def send(self, action: str, **fields: Any) -> None:
        """See `Client`."""
        if action == "start_agent" and fields.get("run_id"):
            self._starts[fields["run_id"]] = fields
        await super().send(action, **fields)

    async def receive_json(self, seconds: float = PATIENCE) -> dict[str, Any]:
        """See `Client`."""
        frame = await super().receive_json(seconds)
        if "seq" in frame:
            self._starts.pop(frame["run_id"], None)
            self._events += 1
            await self._on_event(self, self._events)
        return frame

    async def cut(self) -> None:
        """Lose the socket, as when a network goes: what is on its way is lost."""
        await self.socket.close()
        self._waiting.clear()

    async def come_back(self) -> None:
        """Open a new socket, resume after the last event that was received, and repeat starts without an answer."""
        self.socket = await self._open_socket()
        cursors = self.oracle.cursors()
        self.oracle.reconnected(cursors)
        if cursors:
            await super().send("resume", cursors=cursors, epoch=self.oracle.epoch, request_id=new_id())
        for fields in self._starts.values():
            await super().send("start_agent", **fields)

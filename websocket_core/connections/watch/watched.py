"""What those who watch over the connections of an event loop see of them, and what the hub knows of whoever watches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from websocket_core.connections.connection import WebSocketConnection
from websocket_core.ids import OwnerID


class Connections(Protocol):
    """The open connections of one event loop."""

    def connections(self) -> Iterable[WebSocketConnection]:
        """All of them."""

    def of_group(self, group: str) -> list[WebSocketConnection]:
        """Those that hear what is sent to this group."""

    def owners(self) -> list[OwnerID]:
        """Those of whose threads one of them hears."""

    async def rejoin(self) -> None:
        """Enter the groups of the channel layer that could not be entered before."""


class Attendant(Protocol):
    """Watches over the connections of one event loop while there are any."""

    async def run(self) -> None:
        """Watch until cancelled."""

    def credentials_changed(self, group: str) -> None:
        """The credentials of this group's user may have changed."""

    def close_asked(self) -> None:
        """An operator wants connections closed."""

"""The interfaces between the connections of an event loop and the checks that watch them."""

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
        """The connections that receive messages to this group."""

    def owners(self) -> list[OwnerID]:
        """The owners whose threads one of the connections receives."""

    async def rejoin(self) -> None:
        """Enter the groups of the channel layer that could not be entered before."""


class Attendant(Protocol):
    """Watches the connections of one event loop while there are any."""

    async def run(self) -> None:
        """Watch until cancelled."""

    def credentials_changed(self, group: str) -> None:
        """The credentials of this group's user may have changed."""

    def close_asked(self) -> None:
        """An operator wants connections closed."""

"""Netra's own protocol, version 1: what the journal holds is what is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from websocket_core.wire import actions
from websocket_core.wire.actions import Action


@dataclass(frozen=True, slots=True)
class Native:
    """The `Dialect` of the wire protocol: one for all connections, with nothing in it that could change."""

    name: ClassVar[str] = "netra.v1"

    def decode(self, text: str) -> Action:
        """See `actions.decode`."""
        return actions.decode(text)

    def request_id_of(self, text: str) -> str | None:
        """See `actions.request_id_of`."""
        return actions.request_id_of(text)

    def translation(self) -> None:
        """None is needed."""


NATIVE: Final = Native()

"""Netra's own protocol, version 1: the text in the journal is sent unchanged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from websocket_core.wire import actions
from websocket_core.wire.actions import Action


@dataclass(frozen=True, slots=True)
class Native:
    """The `Dialect` of the wire protocol. One immutable instance serves all connections."""

    name: ClassVar[str] = "netra.v1"

    def decode(self, text: str) -> Action:
        """See `actions.decode`."""
        return actions.decode(text)

    def request_id_of(self, text: str) -> str | None:
        """See `actions.request_id_of`."""
        return actions.request_id_of(text)

    def translation(self) -> None:
        """No translation is needed."""


NATIVE: Final = Native()

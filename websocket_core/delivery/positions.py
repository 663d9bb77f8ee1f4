"""Where a connection stands in the threads in which nothing happens. Pure: no I/O, no clock."""

from collections.abc import Mapping
from typing import Generic, NamedTuple

from websocket_core.delivery.lane import Key


class Position(NamedTuple):
    """A place in a thread: the last seq given out, the last one known, and the last one that the client may name."""

    sent: int
    head: int
    high: int


class Positions(Generic[Key]):
    """Positions by thread. Nearly always the three numbers are equal, and then only one is kept.

    Args:
        heads: threads that stand at their heads. Copied.
    """

    __slots__ = ("_at_rest", "_paused")

    def __init__(self, heads: Mapping[Key, int]) -> None:
        self._at_rest = dict(heads)
        self._paused: dict[Key, Position] = {}  # behind, not watched; or never to be sent again what it was sent once

    def __len__(self) -> int:
        return len(self._at_rest) + len(self._paused)

    def keep(self, thread: Key, position: Position) -> None:
        """Remember a thread."""
        if position.sent == position.head == position.high:
            self._at_rest[thread] = position.sent
        else:
            self._paused[thread] = position

    def get(self, thread: Key) -> Position | None:
        """Where a thread stands; `None`: not known."""
        here = self._at_rest.get(thread)
        return self._paused.get(thread) if here is None else Position(here, here, here)

    def pop(self, thread: Key) -> Position | None:
        """Forget a thread, and return where it stands."""
        here = self._at_rest.pop(thread, None)
        return self._paused.pop(thread, None) if here is None else Position(here, here, here)

    def head(self, thread: Key) -> int:
        """The last seq known; 0 when nothing is."""
        position = self.get(thread)
        return position.head if position else 0

    def high(self, thread: Key) -> int:
        """The last seq that the client may name; 0 when nothing is known."""
        position = self.get(thread)
        return position.high if position else 0

    def cursor(self, thread: Key, unknown: int | None) -> int | None:
        """The last seq given out, or `unknown`."""
        position = self.get(thread)
        return position.sent if position else unknown

    def is_behind(self, thread: Key) -> bool:
        """Whether something has come that was not given out."""
        position = self._paused.get(thread)
        return position is not None and position.sent < position.head

    def paused(self) -> list[Key]:
        """The threads that are behind, or were ahead."""
        return list(self._paused)

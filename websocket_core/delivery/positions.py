"""A connection's positions in threads without activity. Pure: no I/O, no clock."""

from collections.abc import Mapping
from typing import Generic, NamedTuple

from websocket_core.delivery.lane import Key


class Position(NamedTuple):
    """A position in a thread: the last seq sent, the last one known, and the last one that the client may name."""

    sent: int
    head: int
    high: int


class Positions(Generic[Key]):
    """Positions by thread. Usually the three numbers are equal, and then only one is stored.

    Args:
        heads: threads whose position is their head. Copied.
    """

    __slots__ = ("_at_rest", "_paused")

    def __init__(self, heads: Mapping[Key, int]) -> None:
        self._at_rest = dict(heads)
        self._paused: dict[Key, Position] = {}  # behind and not watched, or resumed at an earlier seq

    def __len__(self) -> int:
        return len(self._at_rest) + len(self._paused)

    def keep(self, thread: Key, position: Position) -> None:
        """Store the position of a thread."""
        if position.sent == position.head == position.high:
            self._at_rest[thread] = position.sent
        else:
            self._paused[thread] = position

    def get(self, thread: Key) -> Position | None:
        """The position in a thread; `None` if unknown."""
        here = self._at_rest.get(thread)
        return self._paused.get(thread) if here is None else Position(here, here, here)

    def pop(self, thread: Key) -> Position | None:
        """Remove and return the position in a thread."""
        here = self._at_rest.pop(thread, None)
        return self._paused.pop(thread, None) if here is None else Position(here, here, here)

    def head(self, thread: Key) -> int:
        """The last seq known; 0 if unknown."""
        position = self.get(thread)
        return position.head if position else 0

    def high(self, thread: Key) -> int:
        """The last seq that the client may name; 0 if unknown."""
        position = self.get(thread)
        return position.high if position else 0

    def cursor(self, thread: Key, unknown: int | None) -> int | None:
        """The last seq sent, or `unknown`."""
        position = self.get(thread)
        return position.sent if position else unknown

    def is_behind(self, thread: Key) -> bool:
        """Whether there are events that were not sent."""
        position = self._paused.get(thread)
        return position is not None and position.sent < position.head

    def paused(self) -> list[Key]:
        """The threads whose three numbers differ."""
        return list(self._paused)

"""Where a connection stands in the threads in which nothing happens. Pure: no I/O, no clock."""

from collections.abc import Mapping
from typing import NamedTuple


class Position(NamedTuple):
    """A place in a thread: the last seq given out, the last one known, and the last one that the client may name."""

    sent: int
    head: int
    high: int


class Positions:
    """Positions by thread. Nearly always the three numbers are equal, and then only one is kept.

    Args:
        heads: threads that stand at their heads. Copied.
    """

    __slots__ = ("_at_rest", "_paused")

    def __init__(self, heads: Mapping[str, int]) -> None:
        self._at_rest = dict(heads)
        self._paused: dict[str, Position] = {}  # behind, not watched; or never to be sent again what it was sent once

    def __len__(self) -> int:
        return len(self._at_rest) + len(self._paused)

    def keep(self, thread_id: str, position: Position) -> None:
        """Remember a thread."""
        if position.sent == position.head == position.high:
            self._at_rest[thread_id] = position.sent
        else:
            self._paused[thread_id] = position

    def get(self, thread_id: str) -> Position | None:
        """Where a thread stands; `None`: not known."""
        here = self._at_rest.get(thread_id)
        return self._paused.get(thread_id) if here is None else Position(here, here, here)

    def pop(self, thread_id: str) -> Position | None:
        """Forget a thread, and return where it stands."""
        here = self._at_rest.pop(thread_id, None)
        return self._paused.pop(thread_id, None) if here is None else Position(here, here, here)

    def head(self, thread_id: str) -> int:
        """The last seq known; 0 when nothing is."""
        position = self.get(thread_id)
        return position.head if position else 0

    def high(self, thread_id: str) -> int:
        """The last seq that the client may name; 0 when nothing is known."""
        position = self.get(thread_id)
        return position.high if position else 0

    def cursor(self, thread_id: str, unknown: int | None) -> int | None:
        """The last seq given out, or `unknown`."""
        position = self.get(thread_id)
        return position.sent if position else unknown

    def is_behind(self, thread_id: str) -> bool:
        """Whether something has come that was not given out."""
        position = self._paused.get(thread_id)
        return position is not None and position.sent < position.head

    def paused(self) -> list[str]:
        """The threads that are behind, or were ahead."""
        return list(self._paused)

"""How long a client may go on that acts too fast."""

from __future__ import annotations

from websocket_core.conf import conf


class Patience:
    """Counts the actions of one socket that were refused as too many.

    A client that was refused once and then waited has listened, and is forgiven that one. One that just goes on is let
    through now and then, too.
    """

    __slots__ = ("_in_a_row", "_refused")

    def __init__(self) -> None:
        self._refused = 0  # and not forgiven
        self._in_a_row = 0  # since the last action that was let through

    def let_through(self) -> None:
        """An action came that was not too many."""
        if self._in_a_row <= 1 and self._refused:
            self._refused -= 1
        self._in_a_row = 0

    def refuse(self) -> bool:
        """An action came that was too many.

        Returns:
            Whether patience is over.
        """
        self._in_a_row += 1
        self._refused += 1
        most: int = conf.FLOODING_AFTER
        return self._refused > most

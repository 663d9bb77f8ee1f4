"""How long a client may continue that acts too fast."""

from __future__ import annotations

from websocket_core.conf import conf


class Patience:
    """Counts the actions of one socket that were refused as too many.

    After one refusal, a client that then waits is forgiven for it. A client that does not wait is not, although some of
    its actions are admitted.
    """

    __slots__ = ("_in_a_row", "_refused")

    def __init__(self) -> None:
        self._refused = 0  # refusals that are not forgiven
        self._in_a_row = 0  # refusals since the last admitted action

    def let_through(self) -> None:
        """Record an admitted action."""
        if self._in_a_row <= 1 and self._refused:
            self._refused -= 1
        self._in_a_row = 0

    def refuse(self) -> bool:
        """Record a refused action.

        Returns:
            Whether patience is over.
        """
        self._in_a_row += 1
        self._refused += 1
        most: int = conf.FLOODING_AFTER
        return self._refused > most

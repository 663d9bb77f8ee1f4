"""What one connection adds to the process's figures."""

from __future__ import annotations

import time

from websocket_core.delivery import Delivery
from websocket_core.ids import ThreadKey
from websocket_core.process import metrics


class Counts:
    """Turns the states of a delivery into counts of what has changed."""

    __slots__ = ("_healed", "_hinted_at", "_missed", "_stalled")

    def __init__(self) -> None:
        self._hinted_at = 0.0  # when the oldest event that is on its way was committed
        self._missed = self._healed = 0
        self._stalled = False  # waits for the client's ack

    def hinted(self, at: float) -> None:
        """Events that were committed at this moment (`time.time()`) are on their way; 0: not known."""
        if at and not self._hinted_at:
            self._hinted_at = at

    def delivered(self) -> None:
        """What was on its way is handed over."""
        if self._hinted_at:
            metrics.delivery_seconds.observe(max(0.0, time.time() - self._hinted_at))
            self._hinted_at = 0.0

    def look(self, delivery: Delivery[ThreadKey]) -> None:
        """Everything that may be sent now is handed over: count what happened on the way."""
        if delivery.hints_missed > self._missed:
            metrics.hints_missed.inc(delivery.hints_missed - self._missed)
            self._missed = delivery.hints_missed
        if delivery.healed > self._healed:
            metrics.hints_healed.inc(delivery.healed - self._healed)
            self._healed = delivery.healed
        self.stall(delivery)

    def stall(self, delivery: Delivery[ThreadKey]) -> None:
        """Nothing is sent now: perhaps since the client has to acknowledge something."""
        stalled = delivery.stalled
        if stalled and not self._stalled:
            metrics.window_stalls.inc()
        self._stalled = stalled

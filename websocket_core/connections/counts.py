"""One connection's contribution to the process's metrics."""

from __future__ import annotations

import time

from websocket_core.delivery import Delivery
from websocket_core.ids import ThreadKey
from websocket_core.process import metrics


class Counts:
    """Turns the states of a delivery into counts of changes."""

    __slots__ = ("_healed", "_hinted_at", "_missed", "_stalled")

    def __init__(self) -> None:
        self._hinted_at = 0.0  # when the oldest event being delivered was committed
        self._missed = self._healed = 0
        self._stalled = False  # waiting for the client's ack

    def hinted(self, at: float) -> None:
        """Delivery of events has begun that were committed at this time (`time.time()`); 0 if unknown."""
        if at and not self._hinted_at:
            self._hinted_at = at

    def delivered(self) -> None:
        """These events have been passed to the transport."""
        if self._hinted_at:
            metrics.delivery_seconds.observe(max(0.0, time.time() - self._hinted_at))
            self._hinted_at = 0.0

    def look(self, delivery: Delivery[ThreadKey]) -> None:
        """Everything that may be sent now has been passed on: count what happened meanwhile."""
        if delivery.hints_missed > self._missed:
            metrics.hints_missed.inc(delivery.hints_missed - self._missed)
            self._missed = delivery.hints_missed
        if delivery.healed > self._healed:
            metrics.hints_healed.inc(delivery.healed - self._healed)
            self._healed = delivery.healed
        self.stall(delivery)

    def stall(self, delivery: Delivery[ThreadKey]) -> None:
        """Nothing is sent now: count it if the connection waits for the client's ack."""
        stalled = delivery.stalled
        if stalled and not self._stalled:
            metrics.window_stalls.inc()
        self._stalled = stalled

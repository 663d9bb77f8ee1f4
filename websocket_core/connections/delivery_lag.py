"""How late events come to the sockets of this process, lately: what its histogram has gained within the last minute."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

from websocket_core.process import metrics

WINDOW_SECONDS = 60.0

Buckets = Sequence[tuple[float, float]]  # upper end in seconds, and how many were no later than that


class DeliveryLag:
    """Remembers what was counted before."""

    def __init__(self) -> None:
        self._before: deque[tuple[float, Buckets]] = deque()

    def p99(self, now: float) -> float | None:
        """Within how many seconds 99 of 100 deliveries of the last minute were; `None` when there were none.

        Args:
            now: `time.monotonic()`. To be asked every few seconds.
        """
        counted = _counted()
        self._before.append((now, counted))
        while len(self._before) > 1 and self._before[1][0] <= now - WINDOW_SECONDS:
            self._before.popleft()
        earlier = self._before[0][1]
        return quantile(0.99, [(end, count - old) for (end, count), (_, old) in zip(counted, earlier, strict=True)])


def quantile(share: float, buckets: Buckets) -> float | None:
    """The value below which this share lies, taken to be evenly spread in its bucket; `None` when there is nothing.

    Past the last finite bucket nothing is known but that it is more than that one's end, which is returned.
    """
    total = buckets[-1][1] if buckets else 0.0
    if total <= 0:
        return None
    low, below = 0.0, 0.0
    for end, count in buckets:
        if count >= share * total:
            return low if math.isinf(end) else low + (end - low) * (share * total - below) / (count - below)
        low, below = end, count
    return low


def _counted() -> Buckets:
    return sorted(
        (float(sample.labels["le"]), sample.value)
        for metric in metrics.delivery_seconds.collect()
        for sample in metric.samples
        if sample.name.endswith("_bucket")
    )

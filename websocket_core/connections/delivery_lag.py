"""The recent delay of events in this process, from the increase of its histogram within the last minute."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

from websocket_core.process import metrics

WINDOW_SECONDS = 60.0

Buckets = Sequence[tuple[float, float]]  # upper end in seconds, and the count up to that


class DeliveryLag:
    """Remembers earlier counts."""

    def __init__(self) -> None:
        self._before: deque[tuple[float, Buckets]] = deque()

    def p99(self, now: float) -> float | None:
        """The 99th percentile of the delays in the last minute, in seconds; `None` without deliveries.

        Args:
            now: `time.monotonic()`. Must be called every few seconds.
        """
        counted = _counted()
        self._before.append((now, counted))
        while len(self._before) > 1 and self._before[1][0] <= now - WINDOW_SECONDS:
            self._before.popleft()
        earlier = self._before[0][1]
        return quantile(0.99, [(end, count - old) for (end, count), (_, old) in zip(counted, earlier, strict=True)])


def quantile(share: float, buckets: Buckets) -> float | None:
    """A quantile, with values assumed to be evenly spread within a bucket; `None` if there are no values.

    Beyond the last finite bucket, only its lower end is known, which is returned.
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

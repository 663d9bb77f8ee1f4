"""How late events come lately: quantiles of what was counted within a minute."""

from math import inf

import pytest

from websocket_core.connections.delivery_lag import WINDOW_SECONDS, DeliveryLag, quantile
from websocket_core.process import metrics


@pytest.mark.parametrize(
    ("counts", "seconds"),
    [
        ([], None),
        ([0, 0, 0], None),
        ([100, 100, 100], 0.0099),  # evenly spread in its bucket
        ([0, 100, 100], 0.01 + 0.99 * 0.99),
        ([98, 99, 100], 1.0),
        ([10, 20, 100], 1.0),  # more than a second; how much more, nobody knows
    ],
)
def test_quantile__of_buckets(counts, seconds):
    assert quantile(0.99, list(zip((0.01, 1, inf), counts, strict=False))) == pytest.approx(seconds)


def test_p99__forgets_what_is_older_than_a_minute():
    lag = DeliveryLag()
    assert lag.p99(0) is None  # whatever was counted before it began
    for _ in range(10):
        metrics.delivery_seconds.observe(4)
    slow = lag.p99(5)
    assert slow is not None
    assert 1 < slow <= 5
    for _ in range(10):
        metrics.delivery_seconds.observe(0.0005)
    assert lag.p99(10) == pytest.approx(slow, abs=1)
    fast = lag.p99(5 + WINDOW_SECONDS)
    assert fast is not None
    assert fast <= 0.001
    assert lag.p99(10 + WINDOW_SECONDS) is None

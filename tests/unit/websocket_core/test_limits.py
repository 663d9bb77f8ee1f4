"""The rate of a user's actions: a burst, then a steady flow; forgotten when it is of no use any more."""

import pytest

from websocket_core.limits import ActionLimiter


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(clock: Clock, settings) -> ActionLimiter:
    settings.NETRA_ACTIONS_PER_SECOND, settings.NETRA_ACTIONS_BURST = 50.0, 200
    return ActionLimiter(clock)


def test_burst__then_refused(limiter):
    assert [limiter.take("ann") for _ in range(200)] == [None] * 200
    assert limiter.take("ann") == 20
    assert limiter.take("ann") == 20  # being refused costs nothing


def test_after_the_pause_it_named__one_more(limiter, clock):
    for _ in range(200):
        limiter.take("ann")
    clock.now += limiter.take("ann") / 1000
    assert limiter.take("ann") is None
    assert limiter.take("ann") is not None


def test_sustained__the_rate_for_ever(limiter, clock):
    for _ in range(5000):
        assert limiter.take("ann") is None
        clock.now += 1 / 50


def test_over_a_minute__burst_and_rate(limiter, clock):
    allowed = 0
    for _ in range(60_000):
        allowed += limiter.take("ann") is None
        clock.now += 0.001
    assert 3195 <= allowed <= 3205  # 200 + 60 s × 50


def test_users__have_buckets_of_their_own(limiter):
    for _ in range(201):
        limiter.take("ann")
    assert limiter.take("ann") is not None
    assert limiter.take("bob") is None


def test_full_again__full_burst(limiter, clock):
    for _ in range(200):
        limiter.take("ann")
    clock.now += 4
    assert [limiter.take("ann") for _ in range(200)] == [None] * 200


def test_memory__stays_with_those_who_act(limiter, clock):
    for number in range(1000):
        limiter.take(f"user-{number}")
    clock.now += 60
    limiter.take("ann")
    assert len(limiter._empty_until) == 1

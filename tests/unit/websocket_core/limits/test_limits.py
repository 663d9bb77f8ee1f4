"""The rate of a user's actions: a burst, then a steady flow; discarded when it is no longer needed."""

import asyncio

import pytest

from websocket_core.limits import Limiter, Pace, action_limiter, cost_of, cost_of_threads


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(clock: Clock) -> Limiter:
    return Limiter("actions", lambda: Pace(50.0, 200), clock)


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
    assert len(limiter) == 1


async def test_memory__of_the_last_ones_needs_nobody_to_act(limiter, clock, monkeypatch):
    monkeypatch.setattr("websocket_core.limits.buckets.SWEEP_SECONDS", -0.95)  # now and then becomes every 0.05 s
    limiter.take("ann")
    clock.now += 60
    async with asyncio.timeout(20):
        while len(limiter):  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)


def test_no_rate__no_limit(clock):
    limiter = Limiter("actions", lambda: Pace(0, 200), clock)
    assert [limiter.take("ann") for _ in range(1000)] == [None] * 1000
    assert len(limiter) == 0


def test_what_other_processes_let_through__counts(limiter, clock):
    """The bucket holds 4 s; 6 s ahead means 2 s of debt, and 20 ms for the one to take."""
    limiter.take("ann")
    limiter.learn("ann", 6.0)
    assert limiter.take("ann") == 2020
    clock.now += 2.02
    assert limiter.take("ann") is None
    assert limiter.take("ann") == 20


def test_settings__are_asked_every_time(settings):
    settings.NETRA_ACTIONS_PER_SECOND, settings.NETRA_ACTIONS_BURST = 0.001, 2
    assert [action_limiter.take("ann") is None for _ in range(3)] == [True, True, False]
    settings.NETRA_ACTIONS_PER_SECOND = 1000.0
    assert action_limiter.take("bob") is None


# Work, not calls


def test_cost__is_taken_from_the_burst(limiter, clock):
    assert [limiter.take("ann", 50) for _ in range(4)] == [None] * 4
    assert limiter.take("ann", 50) == 1000
    clock.now += 1
    assert limiter.take("ann", 50) is None


def test_cost_above_a_burst__waits_for_a_full_bucket(limiter, clock):
    limiter.take("ann")
    assert limiter.take("ann", 1000) == 20
    clock.now += 0.02
    assert limiter.take("ann", 1000) is None
    assert limiter.take("ann") == 800 / 50 * 1000 + 20


def test_charge__is_waited_for_later(limiter, clock):
    limiter.charge("ann", 220)
    assert limiter.take("ann") == 420
    clock.now += 0.42
    assert limiter.take("ann") is None


def test_charge_without_limit__costs_nothing():
    limiter = Limiter("actions", lambda: Pace(0, 200), Clock())
    limiter.charge("ann", 500)
    assert (limiter.take("ann"), len(limiter)) == (None, 0)


def test_cost__is_told_to_who_shares_it(limiter):
    told = []
    limiter.on_take = lambda _, user_id, cost: told.append((user_id, cost))
    limiter.take("ann")
    limiter.take("ann", 7)
    limiter.charge("ann", 20)
    assert told == [("ann", 1), ("ann", 7), ("ann", 20)]


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ('{"action": "ping"}', 1),
        ('{"action": "start_agent", "input": "' + "x" * 32 * 1024 + '"}', 2),
        ('{"action": "ping", "payload": [' + "[]," * 5000 + "[]]}", 11),
        ('{"action": "ping", "payload": ' + "[" * 9000 + "]" * 9000 + "}", 10),
        ('{"action": "ping", "payload": {' + ",".join(f'"{n}":1' for n in range(3000)) + "}}", 4),
    ],
)
def test_cost_of_a_text__its_length_and_its_values(text, cost):
    assert cost_of(text) == cost_of(text.encode()) == cost


def test_cost_of_threads__a_page_of_a_console_costs_nothing_more():
    assert [cost_of_threads(count) for count in (1, 49, 50, 1000)] == [0, 0, 1, 20]

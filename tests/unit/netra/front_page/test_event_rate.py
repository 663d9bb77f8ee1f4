"""Events per minute from a sample of events."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netra.front_page.event_rate import per_bucket

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def points(*pairs: tuple[int, float]) -> list[tuple[int, datetime]]:
    return [(number, START + timedelta(minutes=minutes)) for number, minutes in pairs]


def test_neighbours__count_where_they_were_written():
    found = per_bucket(points((1, 0.5), (2, 0.6), (3, 2.5), (4, 3.9)), START, MINUTE, 4)
    assert found == [2, 0, 1, 1]


def test_sampled_events__are_spread_between_their_neighbours():
    found = per_bucket(points((0, -1.0), (1_000, 1.0), (1_100, 2.0)), START, MINUTE, 2)
    assert found == pytest.approx([500, 100])


def test_events_before_the_first_bucket__do_not_count():
    assert per_bucket(points((1, -5), (2, -4), (3, 0.5)), START, MINUTE, 2) == [1, 0]


def test_no_events__are_zeros():
    assert per_bucket([], START, MINUTE, 3) == [0, 0, 0]


@given(st.lists(st.tuples(st.integers(1, 50), st.floats(-1, 5)), min_size=1, max_size=40))
def test_events_within_the_buckets__are_never_more_than_there_are(steps):
    """However the clocks of several processes jump."""
    number, found = 0, []
    for step, minute in steps:
        number += step
        found.append((number, START + timedelta(minutes=minute)))
    counts = per_bucket(found, START, MINUTE, 4)
    assert all(count >= 0 for count in counts)
    assert sum(counts) <= number - found[0][0] + 1 + 1e-6

"""Drilling down by date needs no DISTINCT: the choices follow from the first and the last row."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import override_settings

from websocket_core.admin.lists.calendar import Period, choices


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026", datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-01", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
        ("2026-12", datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("2028-02-29", datetime(2028, 2, 29, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)),
        ("2026-01-31T23", datetime(2026, 1, 31, 23, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
    ],
)
def test_period__spans_what_its_text_says(text, start, end):
    period = Period.parse(text)
    assert (period.start, period.end, str(period)) == (start, end, text)


@pytest.mark.parametrize(
    "text", ["", "26", "2026-13", "2026-02-30", "2026-01-01T24", "2026-01-01 10", "2026\n", "٢٠٢٦", "9999", "0000", "x"]
)
def test_period__anything_else_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        Period.parse(text)


def test_choices__skip_levels_with_a_single_choice():
    first = datetime(2026, 1, 10, 8, tzinfo=UTC)
    assert [str(p) for p in choices(first, first + timedelta(hours=2), None)] == [
        *("2026-01-10T08", "2026-01-10T09", "2026-01-10T10")
    ]
    assert [str(p) for p in choices(first, first + timedelta(days=2), None)] == [
        "2026-01-10",
        "2026-01-11",
        "2026-01-12",
    ]
    assert [str(p) for p in choices(first, first + timedelta(days=400), None)] == ["2026", "2027"]


def test_choices__within_a_month_are_its_days_that_can_have_rows():
    first, last = datetime(2026, 1, 30, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    assert [str(p) for p in choices(first, last, Period.parse("2026-01"))] == ["2026-01-30", "2026-01-31"]
    assert len(choices(first, last, Period.parse("2026-02"))) == 28
    assert choices(first, last, Period.parse("2025-02")) == []


def test_choices__end_with_hours():
    first, last = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    assert len(choices(first, last, Period.parse("2026-01-05"))) == 24
    assert choices(first, last, Period.parse("2026-01-05T10")) == []


def test_period__follows_the_time_zone():
    with override_settings(TIME_ZONE="Europe/Berlin"):
        day = Period.parse("2026-03-29")  # clocks go forward: 23 hours
        assert day.start == datetime(2026, 3, 28, 23, tzinfo=UTC)
        assert day.end == datetime(2026, 3, 29, 22, tzinfo=UTC)

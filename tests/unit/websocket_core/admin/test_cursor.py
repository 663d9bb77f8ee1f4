"""A place in a list travels through the address bar: it is checked like everything that comes from there."""

from datetime import UTC, datetime

import pytest
from django.db.models import Q
from hypothesis import given
from hypothesis import strategies as st

from websocket_core.admin.lists.keyset import Cursor, Stretch
from websocket_core.models import Connection, Event

BY_ID = (Stretch("id"),)
LIVE_FIRST = (Stretch("connected_at", Q(disconnected_at=None)), Stretch("disconnected_at"))


def test_cursor__comes_back_as_it_was():
    cursor = Cursor(1, datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC), "a:b.c-d_e")
    assert Cursor.decode(cursor.encode(), Connection, LIVE_FIRST) == cursor
    assert Cursor.decode(Cursor(0, 7, 7).encode(), Event, BY_ID) == Cursor(0, 7, 7)


@given(st.text(max_size=60))
def test_cursor__any_other_text_is_refused_or_a_place(text):
    try:
        found = Cursor.decode(text, Event, BY_ID)
    except ValueError:
        return
    assert isinstance(found.value, int)


@pytest.mark.parametrize(
    "forged",
    [
        Cursor(1, 7, 7),  # no such stretch
        Cursor(-1, 7, 7),
        Cursor(0, "x", 7),
        Cursor(0, 7, "x"),
        Cursor(0, 10**30, 7),  # no column holds it
        Cursor(0, None, 7),
    ],
)
def test_cursor__a_forged_one_is_refused(forged):
    with pytest.raises(ValueError, match="cannot be found"):
        Cursor.decode(forged.encode(), Event, BY_ID)


def test_cursor__a_date_that_is_none_is_refused():
    with pytest.raises(ValueError, match="cannot be found"):
        Cursor.decode(Cursor(0, "yesterday", "c").encode(), Connection, LIVE_FIRST)

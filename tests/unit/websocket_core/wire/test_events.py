"""Events: their catalogue, the frame's text, and its size."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from websocket_core.ids import new_id
from websocket_core.wire import encoding, events
from websocket_core.wire.events import EventTooLargeError


def test_timestamp__is_utc_with_six_digits():
    assert events.timestamp(datetime(2026, 1, 31, 12, 0, 0, 5, tzinfo=UTC)) == "2026-01-31T12:00:00.000005Z"
    east = timezone(timedelta(hours=5, minutes=30))
    assert events.timestamp(datetime(2026, 1, 31, 12, tzinfo=east)) == "2026-01-31T06:30:00.000000Z"


def test_frame__is_the_wires():
    text = events.frame("tool_executing", "t1", "r1", 7, "2026-01-31T12:00:00.123456Z", '{"tool_call_id":"x"}')
    assert json.loads(text) == {
        "event_type": "tool_executing",
        "thread_id": "t1",
        "run_id": "r1",
        "seq": 7,
        "timestamp": "2026-01-31T12:00:00.123456Z",
        "data": {"tool_call_id": "x"},
    }
    assert list(json.loads(text)) == ["event_type", "thread_id", "run_id", "seq", "timestamp", "data"]


@pytest.mark.parametrize("letter", ["x", "ä", "名", "😀", "\x01"])
def test_size__is_counted_in_bytes_of_the_whole_frame(letter, settings):
    settings.NETRA_MAX_EVENT_BYTES = 4096
    thread_id, run_id = new_id(), "r" * 128
    fits = 0
    for count in range(0, 4096, 7):
        data = encoding.encode({"text": letter * count})
        size = len(
            events.frame("approval_requested", thread_id, run_id, 2**63, "2026-01-31T12:00:00.123456Z", data).encode()
        )
        try:
            events.check_size(data, thread_id, run_id)
        except EventTooLargeError:
            assert size > 4096 - 64  # the longest type and number are allowed for
            break
        assert size <= 4096
        fits = count
    else:
        pytest.fail("nothing was too large")
    assert fits > 100


def test_size__says_what_to_do():
    with pytest.raises(EventTooLargeError, match="send a link"):
        events.check_size("x" * 300_000, "t", "r")


def test_catalogue():
    assert {"agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed"} == events.CRITICAL
    assert {"agent_completed", "agent_failed", "agent_cancelled"} == events.TERMINAL
    assert len(events.TYPES) == 13

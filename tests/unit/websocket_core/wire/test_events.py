"""Events: what has a JSON form and what is refused, the frame's text, its size, and the grammar of a run."""

import dataclasses
import enum
import json
from collections import OrderedDict, defaultdict, namedtuple
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest
from django.utils.safestring import mark_safe
from hypothesis import given
from hypothesis import strategies as st

from websocket_core.errors import GrammarError
from websocket_core.ids import RunID, UserID, new_id
from websocket_core.wire import events
from websocket_core.wire.events import EventTooLargeError, RunGrammar, UnserialisableError

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)


@given(json_values)
def test_encode__every_json_value_comes_back(value):
    assert json.loads(events.encode(value)) == value


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@dataclasses.dataclass
class Point:
    x: object
    y: object = 0


class Struct(msgspec.Struct):
    x: object


class MyFloat(float):
    pass


Pair = namedtuple("Pair", "a b")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (UserID("105945141827451681156"), "105945141827451681156"),
        ({"run": RunID("r1"), RunID("r2"): 1}, {"run": "r1", "r2": 1}),
        (mark_safe("<b>"), "<b>"),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (MyFloat(1.5), 1.5),
        (Decimal("1.10"), "1.10"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31T12:00:00Z"),
        (Point(1, [2]), {"x": 1, "y": [2]}),
        (Struct({"a": 1}), {"x": {"a": 1}}),
        (Pair(1, 2), [1, 2]),
        ((1, (2,)), [1, [2]]),
        (OrderedDict(a=[1]), {"a": [1]}),
        (defaultdict(list, a=[1]), {"a": [1]}),
        (2**200, 2**200),
        (-(2**63) - 1, -(2**63) - 1),
    ],
)
def test_encode__what_authors_have_at_hand(value, expected):
    assert json.loads(events.encode(value)) == expected
    assert json.loads(events.encode({"deep": [value]})) == {"deep": [expected]}


circular: list[object] = []
circular.append(circular)


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        MyFloat("nan"),
        {1, 2},
        frozenset(),
        b"bytes",
        bytearray(b"x"),
        memoryview(b"x"),
        object(),
        print,
        "\ud800",
        UserID,
        {"\ud800": 1},
        {1: 2},
        {None: 1},
        {(1, 2): 3},
        OrderedDict(a={1}),
        defaultdict(set, a={1}),
        Point({1}),
        Point(b"x"),
        Point(float("nan")),
        Struct({1}),
        Pair({1}, 2),
        circular,
        ValueError("x"),
        1j,
    ],
)
def test_encode__what_json_cannot_say__is_refused_and_not_changed_into_something_else(value):
    for one in (value, [value], {"deep": {"er": [value]}}):
        with pytest.raises(UnserialisableError, match="not expressible as JSON"):
            events.encode(one)


def test_encode__depth_without_end():
    value: object = 1
    for _ in range(100_000):
        value = [value]
    with pytest.raises(UnserialisableError):
        events.encode(value)


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
        data = events.encode({"text": letter * count})
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
    assert len(events.TYPES) == 12


# The grammar

TOOL = {"tool_call_id": "c1", "tool_name": "search"}
OTHER = {"tool_call_id": "c2", "tool_name": "read"}
ASK = {"approval_id": "a1", "tool_call_id": "c1"}
STARTED: list[tuple[str, dict[str, str]]] = [("agent_started", {})]

LEGAL = {
    "bare": [*STARTED, ("agent_completed", {})],
    "queued": [("run_queued", {}), *STARTED, ("agent_failed", {})],
    "stopped while queued": [("run_queued", {}), ("agent_cancelled", {})],
    "golden path": [
        *STARTED,
        ("agent_thinking", {"delta": "x", "stream": "s"}),
        ("tool_executing", TOOL),
        ("tool_completed", TOOL),
        ("agent_message", {}),
        ("agent_state", {}),
        ("agent_completed", {}),
    ],
    "parallel tools": [
        *STARTED,
        ("tool_executing", TOOL),
        ("tool_executing", OTHER),
        ("tool_completed", TOOL),
        ("agent_thinking", {}),
        ("tool_completed", OTHER),
        ("agent_cancelled", {}),
    ],
    "approval inside a tool": [
        *STARTED,
        ("tool_executing", TOOL),
        ("approval_requested", ASK),
        ("approval_resolved", ASK),
        ("tool_completed", TOOL),
        ("agent_completed", {}),
    ],
    "one id after the other": [
        *STARTED,
        *[("tool_executing", TOOL), ("tool_completed", TOOL)] * 2,
        ("agent_completed", {}),
    ],
}

ILLEGAL = {
    "nothing before the start": [("agent_thinking", {})],
    "no end before the start": [("agent_completed", {})],
    "no cancel before anything": [("agent_cancelled", {})],
    "queued twice": [("run_queued", {}), ("run_queued", {})],
    "queued after the start": [*STARTED, ("run_queued", {})],
    "queued runs do not think": [("run_queued", {}), ("agent_thinking", {})],
    "queued runs do not fail": [("run_queued", {}), ("agent_failed", {})],
    "started twice": [*STARTED, *STARTED],
    "two ends": [*STARTED, ("agent_completed", {}), ("agent_failed", {})],
    "after the end": [*STARTED, ("agent_completed", {}), ("agent_thinking", {})],
    "end with an open tool": [*STARTED, ("tool_executing", TOOL), ("agent_completed", {})],
    "end with an open approval": [*STARTED, ("approval_requested", ASK), ("agent_cancelled", {})],
    "tool closed twice": [*STARTED, ("tool_executing", TOOL), ("tool_completed", TOOL), ("tool_completed", TOOL)],
    "tool never opened": [*STARTED, ("tool_completed", TOOL)],
    "tool opened twice": [*STARTED, ("tool_executing", TOOL), ("tool_executing", TOOL)],
    "approval resolved twice": [
        *STARTED,
        ("approval_requested", ASK),
        ("approval_resolved", ASK),
        ("approval_resolved", ASK),
    ],
    "approval never asked": [*STARTED, ("approval_resolved", ASK)],
    "approval asked twice": [*STARTED, ("approval_requested", ASK), ("approval_requested", ASK)],
}


@pytest.mark.parametrize("run", LEGAL.values(), ids=LEGAL)
def test_grammar__legal(run):
    grammar = RunGrammar()
    for event in run:
        assert not grammar.over
        grammar.feed(*event)
    assert grammar.over
    assert not grammar.tools
    assert not grammar.approvals


@pytest.mark.parametrize("run", ILLEGAL.values(), ids=ILLEGAL)
def test_grammar__illegal__and_the_state_stays(run):
    grammar = RunGrammar()
    for event in run[:-1]:
        grammar.feed(*event)
    before = (grammar.queued, grammar.started, grammar.over, dict(grammar.tools), dict(grammar.approvals))
    with pytest.raises(GrammarError):
        grammar.feed(*run[-1])
    assert (grammar.queued, grammar.started, grammar.over, grammar.tools, grammar.approvals) == before


# Large values, as clients send them


def large(value: object) -> list[object]:
    """The value in a list whose JSON is long, so that it is compared instead of looked at."""
    return ["x" * 5000, {"deep": [value]}]


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        {1, 2},
        frozenset(),
        b"bytes",
        bytearray(b"x"),
        {1: 2},
        {None: 1},
        object(),
        {"a": {2: 3}},
    ],
)
def test_encode__large_values_are_refused_for_the_same_as_small_ones(value):
    with pytest.raises(UnserialisableError):
        events.encode(value)
    with pytest.raises(UnserialisableError):
        events.encode(large(value))


@pytest.mark.parametrize(
    "value",
    [
        (1, 2),
        datetime(2026, 1, 31, tzinfo=UTC),
        Decimal("1.5"),
        Point(1),
        Struct(x=2),
        Colour.RED,
        Level.HIGH,
        True,
        1.0,
    ],
)
def test_encode__large_values_are_written_as_small_ones(value):
    assert events.encode(large(value)) == f'["{"x" * 5000}",{{"deep":[{events.encode(value)}]}}]'


class Everything:
    """Says that it equals whatever it is compared with."""

    def __eq__(self, other):
        return True

    __hash__ = None  # type: ignore[assignment]


class Nothing:
    def __eq__(self, other):
        raise ZeroDivisionError

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("value", [Everything(), Nothing()])
def test_encode__objects_with_a_comparison_of_their_own_are_refused(value):
    with pytest.raises(UnserialisableError):
        events.encode(large(value))


FINELY_CUT = {
    "empty lists": [[]] * 87_000,
    "empty objects": [{} for _ in range(87_000)],
    "numbers": list(range(50_000)),
    "floats": [1e1] * 65_000,
    "keys": {str(number): 0 for number in range(30_000)},
    "deep": [json.loads("[" * 300 + "]" * 300) for _ in range(400)],
}


@pytest.mark.parametrize("kind", FINELY_CUT)
def test_encode__what_comes_finely_cut_costs_little_more_than_its_encoding(kind, monkeypatch):
    """Value by value it took a second for each 2.6 MB, of everybody's time."""
    looked_at = []
    check = events._check

    def recorded(value):
        looked_at.append(value)
        return check(value)

    monkeypatch.setattr(events, "_check", recorded)
    assert json.loads(events.encode(FINELY_CUT[kind])) == FINELY_CUT[kind]
    assert looked_at == []


@pytest.mark.parametrize(
    "value", ["\x00", ["a", {"b": "\x00"}], {"\x00": 1}, "\\\x00", "\\\\\x00", "x" * 10_000 + "\x00"]
)
def test_nul__is_found(value):
    assert events.has_nul(value)
    assert events.is_nul_written(json.dumps(value))


@pytest.mark.parametrize(
    "value", ["", "\\u0000", ["\\\\u0000"], {"\\u0000": "\\u0000"}, "\x01", "u0000", "\\" * 5000 + "u0000"]
)
def test_nul__a_text_about_it_is_none(value):
    assert not events.has_nul(value)
    assert not events.is_nul_written(json.dumps(value))

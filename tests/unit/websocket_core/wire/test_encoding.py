"""What has a JSON form and what is refused, and what it costs to find out."""

import dataclasses
import enum
import json
from collections import OrderedDict, defaultdict, namedtuple
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest
from django.utils.safestring import mark_safe
from hypothesis import given
from hypothesis import strategies as st

from websocket_core.ids import RunID, UserID
from websocket_core.wire import encoding
from websocket_core.wire.encoding import UnserialisableError

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)


@given(json_values)
def test_encode__every_json_value_comes_back(value):
    assert json.loads(encoding.encode(value)) == value


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
    assert json.loads(encoding.encode(value)) == expected
    assert json.loads(encoding.encode({"deep": [value]})) == {"deep": [expected]}


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
            encoding.encode(one)


def test_encode__depth_without_end():
    value: object = 1
    for _ in range(100_000):
        value = [value]
    with pytest.raises(UnserialisableError):
        encoding.encode(value)


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
        encoding.encode(value)
    with pytest.raises(UnserialisableError):
        encoding.encode(large(value))


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
    assert encoding.encode(large(value)) == f'["{"x" * 5000}",{{"deep":[{encoding.encode(value)}]}}]'


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
        encoding.encode(large(value))


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
    check = encoding._check

    def recorded(value):
        looked_at.append(value)
        return check(value)

    monkeypatch.setattr(encoding, "_check", recorded)
    assert json.loads(encoding.encode(FINELY_CUT[kind])) == FINELY_CUT[kind]
    assert looked_at == []


@pytest.mark.parametrize(
    "value", ["\x00", ["a", {"b": "\x00"}], {"\x00": 1}, "\\\x00", "\\\\\x00", "x" * 10_000 + "\x00"]
)
def test_nul__is_found(value):
    assert encoding.has_nul(value)
    assert encoding.is_nul_written(json.dumps(value))


@pytest.mark.parametrize(
    "value", ["", "\\u0000", ["\\\\u0000"], {"\\u0000": "\\u0000"}, "\x01", "u0000", "\\" * 5000 + "u0000"]
)
def test_nul__a_text_about_it_is_none(value):
    assert not encoding.has_nul(value)
    assert not encoding.is_nul_written(json.dumps(value))

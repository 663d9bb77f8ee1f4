"""What a framework's values look like in an event."""

from dataclasses import dataclass

import pytest
from pydantic import BaseModel

from netra.agents.adapters.shown import clean, shown
from websocket_core.wire import encoding, events


class Weather(BaseModel):
    city: str


@dataclass
class Point:
    x: int


class Secret:
    def __repr__(self) -> str:
        return "password=hunter2"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (3, 3),
        ("text", "text"),
        ({"a": [1, 2.5]}, {"a": [1, 2.5]}),
        ({1}, [1]),
        (float("nan"), "NaN"),
        (b"\xff", "_w=="),
        (Weather(city="Oslo"), {"city": "Oslo"}),
        ({"at": Point(1), "who": Secret()}, {"at": {"x": 1}, "who": "<Secret>"}),
        ("half \ud83d", "half \ufffd"),
        ({1: "number keys"}, {"1": "number keys"}),
    ],
)
def test_shown__has_a_json_form(value, expected):
    found = shown(value)
    encoding.encode(found)
    assert found == expected


def test_shown__a_structure_without_end_is_named():
    endless: list[object] = []
    endless.append(endless)
    assert shown(endless) == "<list>"


@pytest.mark.parametrize("character", ["x", "é", "😀"])
def test_shown__what_is_too_large_says_so_and_fits(character, settings):
    settings.NETRA_MAX_EVENT_BYTES = 20_000
    found = shown(character * 20_000)
    assert found["too_large"] == len((character * 20_000).encode()) + 2
    assert found["beginning"] == character * 2000
    events.check_size(encoding.encode({"result": found}), "t", "r")


def test_shown__what_just_fits_is_whole(settings):
    settings.NETRA_MAX_EVENT_BYTES = 20_000
    text = "x" * (20_000 - 8 * 1024 - 2)
    assert shown(text) == text
    assert shown(text + "x") != text + "x"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("plain", "plain"), ("é😀", "é😀"), ("\ud83d\ude00", "😀"), ("a\ud83d", "a\ufffd"), ("\ude00b", "\ufffdb")],
)
def test_clean__has_a_utf8_form(text, expected):
    assert clean(text) == expected

"""Texts that every end can carry."""

from dataclasses import dataclass

import msgspec
import pytest

from netra.agents.texts import bounded, expressible, storable, whole
from websocket_core.wire import encoding

HALF = "\ud83d"


class Named(msgspec.Struct, rename="camel"):
    file_name: str


@dataclass
class Point:
    name: str


@pytest.mark.parametrize(
    ("text", "expected"),
    [("plain", "plain"), ("é😀", "é😀"), ("\ud83d\ude00", "😀"), ("a\ud83d", "a\ufffd"), ("\udcffb", "\ufffdb")],
)
def test_whole(text, expected):
    assert whole(text) == expected


def test_storable__has_no_nul():
    assert storable("a\0\ud83d") == "a\ufffd\ufffd"


def test_bounded__cuts_and_says_so(settings):
    settings.NETRA_MAX_ERROR_CHARS = 10
    assert bounded("x" * 11) == "x" * 9 + "…"
    assert bounded("😀" * 10) == "😀" * 10


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (HALF, "\ufffd"),
        ({HALF: [HALF, 1, None, 2.5, (HALF,)]}, {"\ufffd": ["\ufffd", 1, None, 2.5, ["\ufffd"]]}),
        (Named(HALF), {"fileName": "\ufffd"}),
        ([Point(HALF)], [{"name": "\ufffd"}]),
    ],
)
def test_expressible__mends_every_text(value, expected):
    assert expressible(value) == expected


def test_expressible__what_is_fine_is_the_same_object():
    value = {"a": ["é", Point("x")]}
    assert expressible(value) is value


@pytest.mark.parametrize("value", [object(), float("nan"), {1: HALF}, {HALF: {1}}, [HALF, b"x"]])
def test_expressible__refuses_what_has_no_json_form(value):
    with pytest.raises(encoding.UnserialisableError):
        expressible(value)


def test_expressible__a_structure_without_end():
    endless: list[object] = [HALF]
    endless.append(endless)
    with pytest.raises(encoding.UnserialisableError):
        expressible(endless)

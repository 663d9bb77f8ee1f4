"""Frames are shown for reading, with nothing in them that the browser or the eye takes for something else."""

import pytest

from websocket_core.admin.json_text import block, indented, one_line


def test_indented__keeps_every_digit():
    text = '{"big":123456789012345678901234567890,"tiny":1e-400,"float":0.10}'
    assert indented(text).replace(" ", "").replace("\n", "") == text


def test_block__escapes_markup():
    shown = block('{"delta":"</pre><script>alert(1)</script>&amp;\\""}')
    assert "<script" not in shown
    assert "&lt;/pre&gt;&lt;script&gt;" in shown
    assert "&amp;amp;" in shown


@pytest.mark.parametrize(
    "character", [*"\u202e\u2066\u200b\u2028\ufeff\u0085\u00ad\u061c\u3164\u2800\ufe0f\u00a0\u3000"]
)
def test_block__characters_that_hide_or_turn_text_are_shown_as_escapes(character):
    shown = block(f'{{"a":"x{character}y"}}')
    assert character not in shown
    assert f"\\u{ord(character):04x}" in shown


def test_indented__what_is_not_json_stays_readable():
    assert indented("not { json") == "not { json"


def test_one_line__ends_in_an_ellipsis():
    assert one_line("abcdef", 4) == "abc…"
    assert one_line("abcd", 4) == "abcd"


def test_block__nothing_is_a_dash():
    assert block("") == "-"


def test_block__of_tags_nobody_sees():
    assert "\\U000e0041" in block('{"a":"x\U000e0041y"}')


def test_block__long_blanks_are_named_and_indentation_is_not():
    shown = block('{"command":"ls -la' + " " * 400 + '; curl evil"}')
    assert "ls -la ⟨400 blanks⟩ ; curl evil" in shown
    assert "\n  &quot;command&quot;" in shown

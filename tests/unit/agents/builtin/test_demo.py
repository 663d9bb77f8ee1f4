"""What the demo's tools find, and that no text takes them long."""

import math
import sys
import time

import msgspec
import pytest

from netra.agents.builtin.demo.answer import Findings, markdown
from netra.agents.builtin.demo.numbers import describe, draw, histogram, outliers, shown, tidy
from netra.agents.builtin.demo.request import MAX_CHARACTERS, Request
from netra.agents.builtin.demo.sample import SAMPLE
from netra.agents.builtin.demo.table import find_table, parse_number
from netra.agents.builtin.demo.words import count_words, frequent_words, sentence_lengths
from netra.agents.errors import AgentError

HOSTILE = ["a,", "x", "1,2\n", '"', '"\n', '","', "- ", "'a", ". ", "\n", "\t", "|", "1;", "😀,", "$€%,", "http://"]


def test_count_words__counts():
    assert count_words("One two.\nTwo, isn’t it? ") == {
        "words": 5,
        "different_words": 4,
        "sentences": 2,
        "lines": 2,
        "characters": 24,
        "reading_seconds": 1,
    }


def test_frequent_words__leaves_out_words_that_say_nothing():
    assert frequent_words("The fox and the Fox and the hen", limit=2) == [
        {"word": "fox", "count": 2},
        {"word": "hen", "count": 1},
    ]


def test_sentence_lengths__ignores_dots_without_words():
    assert sentence_lengths("One two. ... Three! 3.14 is four.") == [2, 1, 2]


def test_find_table__in_the_middle_of_prose():
    table = find_table(f"Look, please, at this:\n\n{SAMPLE}\nThank you, friend.")
    assert table is not None
    assert table.rows == 12
    assert [column.name for column in table.numeric] == ["visitors", "temperature", "satisfaction"]
    assert table.columns[3].describe() == {"name": "temperature", "kind": "number", "values": 11, "missing": 1}
    assert table.columns[0].describe() == {"name": "city", "kind": "text", "values": 12, "different": 4}


@pytest.mark.parametrize(
    ("text", "separator", "values"),
    [
        ("name;price\nx;1,5\ny;2,5\n", "semicolon", [1.5, 2.5]),
        ("name\tprice\nx\t1.5\ny\t2.5\n", "tab", [1.5, 2.5]),
        ("| name | price |\n|---|---|\n| x | 1.5 |\n| y | 2.5 |\n", "bar", [1.5, 2.5]),
        ('name,price\n"a, b",1.5\n"c","2.5"\n', "comma", [1.5, 2.5]),
        ("x,1.5\ny,2.5\nz,3\n", "comma", [1.5, 2.5, 3]),
    ],
)
def test_find_table__separators(text, separator, values):
    table = find_table(text)
    assert table is not None
    assert table.separator == separator
    assert [value for _, value in table.numeric[0].numbers] == values


def test_find_table__tells_cells_that_should_be_numbers():
    table = find_table("n,m\n1,2\n2,2\nthree,2\n4,2\n5,2\n")
    assert table is not None
    assert table.columns[0].describe() == {"name": "n", "kind": "number", "values": 5, "unreadable": 1}


@pytest.mark.parametrize("text", ["", "One line, with a comma", "Prose, with a comma.\nAnd, here, two.\nNone here."])
def test_find_table__prose_is_none(text):
    assert find_table(text) is None


@pytest.mark.parametrize(
    ("cell", "number"),
    [("12", 12), (" 1,234.5 ", 1234.5), ("12 %", 12), ("€ 5", 5), ("-3e2", -300), ("1_000", 1000)]
    + [(cell, None) for cell in ("", "x", "nan", "inf", "1e999", "1,2,3", "0x10", "1-2", "9" * 41)],
)
def test_parse_number(cell, number):
    assert parse_number(cell) == number


def test_describe__agrees_with_a_known_series():
    assert describe([2.0, 4, 4, 4, 5, 5, 7, 9]) == {
        "count": 8,
        "min": 2,
        "q1": 4,
        "median": 4.5,
        "q3": 5.5,
        "max": 9,
        "mean": 5,
        "deviation": 2,
    }


def test_outliers__names_the_farthest_and_counts_all():
    rows = list(enumerate([1.0, 2, 3, 4, 5, 6, 7, 8, 100, 200], start=1))
    found = outliers(rows, limit=1)
    assert found["count"] == 2
    assert found["rows"] == [{"row": 10, "value": 200}]


def test_histogram__every_value_is_in_one_bin():
    values = [0.1 * number for number in range(100)]
    assert sum(entry["count"] for entry in histogram(values)) == 100
    assert histogram([3.0, 3.0]) == [{"from": 3, "to": 3, "count": 2}]
    assert histogram([]) == []


@pytest.mark.parametrize(
    "values",
    [[1e308, -1e308, 1.7e308, 5.0], [sys.float_info.min * number for number in range(9)], [5e-324, 0.0, 1e-323, 1.0]],
)
def test_numbers__extremes_are_described_without_losing_json(values):
    rows = list(enumerate(values, start=1))
    for found in (describe(values), outliers(rows), histogram(values)):
        text = msgspec.json.encode(found)
        assert b"null" not in text  # what NaN and infinities would be
    assert sum(entry["count"] for entry in histogram(values)) == len(values)
    assert draw(histogram(values))


def test_shown__reads_like_a_number():
    assert [shown(number) for number in (0, 1234567, 3.14159, 0.00012345, 1e15, -20.50)] == [
        "0",
        "1,234,567",
        "3.142",
        "0.0001234",
        "1e+15",
        "-20.5",
    ]
    assert tidy(0.1 + 0.2) == 0.3
    assert math.isfinite(tidy(math.inf))


def test_markdown__text_of_the_person_cannot_break_out_of_its_cell():
    text = "a`|b,c\n1,2\n2,3\n3,4\n"
    table = find_table(text)
    assert table is not None
    found = Findings(table={"rows": 3, "columns": [column.describe() for column in table.columns]})
    assert "| a'¦b | 3 |" in markdown(found)


@pytest.mark.parametrize("bit", HOSTILE)
def test_every_tool__is_quick_on_hostile_text(bit):
    text = (bit * MAX_CHARACTERS)[:MAX_CHARACTERS]
    began = time.process_time()
    table = find_table(text)
    count_words(text)
    frequent_words(text)
    lengths = sentence_lengths(text)
    Request.read({"message": text})
    columns = table.columns if table else []
    for rows in [list(enumerate(lengths)), *(column.numbers for column in columns[:6])]:
        if rows:
            describe([value for _, value in rows])
            outliers(rows)
            histogram([value for _, value in rows])
    assert time.process_time() - began < 10
    assert len(columns) <= 50


def test_request__bounds_what_is_looked_at():
    request = Request.read({"message": "word " * MAX_CHARACTERS})
    assert len(request.text) == request.cut_at == MAX_CHARACTERS


@pytest.mark.parametrize(
    ("input", "expected"),
    [
        ({}, (True, False, None)),
        ({"message": "Hi, approve it"}, (True, True, None)),
        ({"message": "hello", "fail": True, "approve": True}, (True, True, "https://example.com/more")),
        (
            {"message": "one two three four five six seven disapproved https://a.example/b."},
            (False, False, "https://a.example/b"),
        ),
        ({"message": "a\nb"}, (False, False, None)),
    ],
)
def test_request__reads_wishes(input, expected):
    request = Request.read(input)
    assert (request.is_sample, request.approve, request.link) == expected


def test_request__wants_text():
    with pytest.raises(AgentError, match="reads a text"):
        Request.read({"message": ["no"]})

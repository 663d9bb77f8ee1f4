"""Finds a table in pasted text: its beginning and end, its separator and its columns."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MAX_COLUMNS = 50
_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
_DECORATION = re.compile(r"[\s_'\u00a0\u202f$€£%]+")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        numbers: `(row, value)` of the numeric cells; rows count from 1, without the header.
        missing: the number of empty cells.
        texts: the other cells.
    """

    name: str
    numbers: Sequence[tuple[int, float]]
    missing: int
    texts: Sequence[str]

    @property
    def is_numeric(self) -> bool:
        """Whether most of the cells are numbers. A few bad cells do not make a text column."""
        return len(self.numbers) >= 2 and len(self.numbers) >= 2 * len(self.texts)

    def describe(self) -> dict[str, Any]:
        """The column for people: `name`, `kind`, `values`, and what is odd about it."""
        about: dict[str, Any] = {"name": self.name, "kind": "number" if self.is_numeric else "text"}
        about["values"] = len(self.numbers) + len(self.texts)
        if self.missing:
            about["missing"] = self.missing
        if self.is_numeric and self.texts:
            about["unreadable"] = len(self.texts)
        if not self.is_numeric:
            about["different"] = len(set(self.texts)) + len({value for _, value in self.numbers})
        return about


@dataclass(frozen=True, slots=True)
class Table:
    """A table found in a text."""

    separator: str  # "comma", "semicolon", "tab", "bar"
    rows: int
    columns: Sequence[Column]

    @property
    def numeric(self) -> list[Column]:
        """Its columns of numbers."""
        return [column for column in self.columns if column.is_numeric]


def find_table(text: str) -> Table | None:
    """The largest table in a text, or `None`. Prose around it does not matter; prose with commas is not a table."""
    lines = text.splitlines()
    best: tuple[int, str, list[str]] = (0, ",", [])
    for separator in _SEPARATORS:
        block = _longest_block(lines, separator)
        cells = len(block) * (block[0].count(separator) + 1) if block else 0
        if len(block) >= (3 if separator == "," else 2) and cells > best[0]:
            best = (cells, separator, block)
    _, separator, block = best
    if not block:
        return None
    try:
        rows = [[cell.strip() for cell in row[:MAX_COLUMNS]] for row in csv.reader(block, delimiter=separator)]
    except csv.Error:
        return None
    rows = [row for row in rows if not all(set(cell) <= set("-: ") for cell in row)]  # a Markdown table's rule
    if separator == "|":
        rows = [row[1:-1] if len(row) > 2 and not row[0] and not row[-1] else row for row in rows]
    if len(rows) < 2:
        return None
    header, body = _split_header(rows, decimal_comma=separator != ",")
    columns = [_column(name, index, body, decimal_comma=separator != ",") for index, name in enumerate(header)]
    return Table(_SEPARATORS[separator], len(body), columns)


def parse_number(cell: str, *, decimal_comma: bool = False) -> float | None:
    """The finite number in a cell (`1,234.5`, `12 %`, `€ 5`; `1234,5` with `decimal_comma`), or `None`."""
    text = _DECORATION.sub("", cell)
    if not text or len(text) > 40 or not any(letter.isdigit() for letter in text):
        return None
    if _THOUSANDS.fullmatch(text) and not (decimal_comma and text.count(",") == 1 and "." not in text):
        text = text.replace(",", "")
    elif decimal_comma and text.count(",") == 1:
        text = text.replace(".", "").replace(",", ".")
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _longest_block(lines: Sequence[str], separator: str) -> list[str]:
    """The longest run of lines with the same number of cells, at least two."""
    best: list[str] = []
    current: list[str] = []
    width = 0
    for line in lines:
        cells = _count_cells(line, separator)
        if cells != width or cells < 2:
            current, width = [], cells
        if cells >= 2:
            current.append(line)
            if len(current) > len(best):
                best = current
    return best


def _count_cells(line: str, separator: str) -> int:
    if '"' not in line:
        return line.count(separator) + 1
    try:
        return len(next(csv.reader([line], delimiter=separator), []))
    except csv.Error:
        return 0


def _split_header(rows: list[list[str]], *, decimal_comma: bool) -> tuple[list[str], list[list[str]]]:
    first = rows[0]
    if any(parse_number(cell, decimal_comma=decimal_comma) is not None for cell in first):
        return [f"column {index + 1}" for index in range(len(first))], rows
    return [cell[:60] or f"column {index + 1}" for index, cell in enumerate(first)], rows[1:]


def _column(name: str, index: int, rows: Sequence[Sequence[str]], *, decimal_comma: bool) -> Column:
    numbers: list[tuple[int, float]] = []
    texts: list[str] = []
    missing = 0
    for number, row in enumerate(rows, start=1):
        cell = row[index] if index < len(row) else ""
        value = parse_number(cell, decimal_comma=decimal_comma)
        if value is not None:
            numbers.append((number, value))
        elif cell:
            texts.append(cell)
        else:
            missing += 1
    return Column(name, numbers, missing, texts)

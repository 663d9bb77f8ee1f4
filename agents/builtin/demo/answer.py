"""The demo's findings and their presentation: Markdown for people, JSON for programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from netra.agents.builtin.demo.numbers import draw, shown

_SHOWN_COLUMNS = 8
_SHOWN_OUTLIERS = 5


@dataclass(slots=True)
class Findings:
    """The results of the tools. A failed tool leaves its field empty, and the answer uses the rest."""

    counts: dict[str, Any] = field(default_factory=dict)
    frequent: list[dict[str, Any]] = field(default_factory=list)
    table: dict[str, Any] | None = None  # `separator`, `rows`, `columns`
    statistics: dict[str, dict[str, Any]] = field(default_factory=dict)  # by column, or "words per sentence"
    outliers: dict[str, dict[str, Any]] = field(default_factory=dict)
    histogram: tuple[str, list[dict[str, Any]]] | None = None
    failed: list[str] = field(default_factory=list)  # what did not work, in words
    is_sample: bool = False
    cut_at: int | None = None  # only this many characters were analysed

    def result(self) -> dict[str, Any]:
        """The run's result."""
        found: dict[str, Any] = {"kind": "table" if self.table else "text", "counts": self.counts}
        if self.table:
            found["table"] = self.table
        else:
            found["frequent_words"] = self.frequent
        found["statistics"] = self.statistics
        found["outliers"] = self.outliers
        if self.failed:
            found["failed"] = self.failed
        return found

    def summary(self) -> str:
        """One sentence."""
        odd = sum(found["count"] for found in self.outliers.values())
        tail = f", {_count(odd, 'outlier')}" if odd else ""
        if self.table:
            names = ", ".join(column["name"] for column in self.table["columns"][:4])
            more = "…" if len(self.table["columns"]) > 4 else ""
            return f"A table of {_count(self.table['rows'], 'row')} ({names}{more}){tail}."
        top = ", ".join(entry["word"] for entry in self.frequent[:3])
        about = f", mostly about {top}" if top else ""
        words = _count(self.counts.get("words", 0), "word")
        return f"A text of {words} in {_count(self.counts.get('sentences', 0), 'sentence')}{about}{tail}."


def markdown(found: Findings) -> str:
    """The answer."""
    parts = [f"### {'A table' if found.table else 'A text'}, looked at closely\n\n{_opening(found)}"]
    parts += _about_table(found) if found.table else _about_text(found)
    parts += _about_outliers(found)
    if found.histogram and found.histogram[1]:
        name, bins = found.histogram
        parts.append(f"**How `{_cell(name)}` is spread**\n\n```text\n{draw(bins)}\n```")
    if found.failed:
        parts.append("**What did not work**\n\n" + "\n".join(f"- {_cell(text)}" for text in found.failed))
    parts.append(
        "*This is Netra's scripted demo, not a language model: it counts and computes, and understands nothing.*"
    )
    return "\n\n".join(parts) + "\n"


def _opening(found: Findings) -> str:
    opening = found.summary()
    if found.is_sample:
        opening += " You pasted nothing to analyse, so this is the demo's own sample."
    if found.cut_at is not None:
        opening += f" Only the first {found.cut_at:,} characters were analysed."
    return opening


def _about_table(found: Findings) -> list[str]:
    assert found.table is not None
    columns = found.table["columns"]
    lines = ["| column | values | least | median | mean | greatest |", "|---|--:|--:|--:|--:|--:|"]
    for column in columns[:_SHOWN_COLUMNS]:
        numbers = found.statistics.get(column["name"])
        figures = [shown(numbers[key]) for key in ("min", "median", "mean", "max")] if numbers else ["", "", "", ""]
        lines.append(f"| {_cell(column['name'])} | {column['values']:,} | {' | '.join(figures)} |")
    parts = ["\n".join(lines)]
    if len(columns) > _SHOWN_COLUMNS:
        parts.append(f"… and {_count(len(columns) - _SHOWN_COLUMNS, 'column')} more.")
    odd = [
        f"`{_cell(column['name'])}` has {_count(column[key], what)}"
        for column in columns[:_SHOWN_COLUMNS]
        for key, what in (("missing", "empty cell"), ("unreadable", "unreadable number"))
        if column.get(key)
    ]
    if odd:
        parts.append("Look twice: " + "; ".join(odd) + ".")
    return parts


def _about_text(found: Findings) -> list[str]:
    counts = found.counts
    parts = []
    if counts:
        minutes = counts["reading_seconds"] / 60
        reading = f"{minutes:.0f} minutes" if minutes >= 2 else f"{counts['reading_seconds']} seconds"
        parts.append(
            f"{_count(counts['words'], 'word')}, {counts['different_words']:,} of them different, in "
            f"{_count(counts['sentences'], 'sentence')} and {_count(counts['lines'], 'line')}: about {reading} to read."
        )
    if found.frequent:
        listed = "\n".join(f"- {entry['word']} × {entry['count']}" for entry in found.frequent)
        parts.append(f"**Words that come up most**\n\n{listed}")
    for name, numbers in found.statistics.items():
        parts.append(f"{name.capitalize()}: {shown(numbers['mean'])} on average, {shown(numbers['max'])} at most.")
    return parts


def _about_outliers(found: Findings) -> list[str]:
    lines: list[str] = []
    where = "row" if found.table else "sentence"
    for name, outliers in found.outliers.items():
        if outliers["count"] and len(lines) < _SHOWN_COLUMNS:
            rows = [f"{shown(entry['value'])} ({where} {entry['row']})" for entry in outliers["rows"][:_SHOWN_OUTLIERS]]
            low, high = outliers["expected"]
            lines.append(
                f"- `{_cell(name)}`: {', '.join(rows)}{', …' if outliers['count'] > len(rows) else ''}; "
                f"{shown(low)} to {shown(high)} would be usual"
            )
    return ["**Far from the rest**\n\n" + "\n".join(lines)] if lines else []


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _cell(text: str) -> str:
    """The person's text in Markdown. Nothing in it may end the surrounding cell or code."""
    return " ".join(text.replace("|", "¦").replace("`", "'").split())

"""Reads the usage that an agent reports: an object for the whole run, or a list with one entry per model call."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from websocket_core.wire import encoding

MOST = 2**63 - 1  # the limit of the columns
MOST_ENTRIES = 100  # entries per run; further calls of a model are added to its latest entry
MOST_OF_ENTRY = 10**15  # a larger entry is an error; their sums must fit into the columns, too


class Used(NamedTuple):
    """The usage of a run as it is stored: `text` is the report as JSON, and the other fields are its sums."""

    text: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0


NOTHING = Used()


@dataclass(frozen=True, slots=True)
class Usage:
    """The usage of a run.

    Attributes:
        input_tokens, output_tokens, total_tokens: sums of the agent's reports; 0 if it reported nothing.
        cost: the cost in the currency of `NETRA_COST`, or `None` if it is not known (yet).
        details: the reported entries: objects with `provider`, `model`, `input_tokens` and so on.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    cost: Decimal | None = None
    details: tuple[dict[str, Any], ...] = ()


def used(reported: object) -> Used:
    """The sums of a report. Values that are not a valid number of tokens count as 0."""
    if not reported:
        return NOTHING
    given = taken = total = 0
    for entry in entries(reported):
        own_given, own_taken = _tokens(entry, "input_tokens"), _tokens(entry, "output_tokens")
        given += own_given
        taken += own_taken
        total += _tokens(entry, "total_tokens") or own_given + own_taken
    return Used(encoding.encode(reported), min(given, MOST), min(taken, MOST), min(total, MOST))


def entries(reported: object) -> list[dict[str, Any]]:
    """The entries of a report, which is an object or a list."""
    found = reported if isinstance(reported, list) else [reported]
    return [entry for entry in found if isinstance(entry, dict)]


def with_entry(reported: object, entry: dict[str, Any]) -> list[dict[str, Any]]:
    """The report with one more entry.

    If it already has `MOST_ENTRIES`, the new numbers are added to the latest entry of the same provider and model, so
    the sums stay correct.

    Raises:
        ValueError: the report has `MOST_ENTRIES` entries, and none of this model.
    """
    known = entries(reported) if reported else []
    if len(known) < MOST_ENTRIES:
        return [*known, entry]
    for place in reversed(range(len(known))):
        if all(known[place].get(name) == entry.get(name) for name in ("provider", "model")):
            known[place] = _sum(known[place], entry)
            return known
    raise ValueError(f"a run may report the usage of at most {MOST_ENTRIES} models")


def _sum(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    found = {**one}
    for name, value in other.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            before = one.get(name, 0)
            found[name] = value + before if isinstance(before, int | float) else value
    if ("total_tokens" in one) != ("total_tokens" in other):  # for the entry without a total, add input and output
        totals = [
            _tokens(entry, "total_tokens") or _tokens(entry, "input_tokens") + _tokens(entry, "output_tokens")
            for entry in (one, other)
        ]
        found["total_tokens"] = sum(totals)
    return found


def usage_of(text: str, input_tokens: int, output_tokens: int, total_tokens: int, cost: Decimal | None) -> Usage:
    """The usage of a run from its columns. Before the run ends, the report is stored, but its sums are not."""
    reported = msgspec.json.decode(text) if text else None
    if not total_tokens:
        _, input_tokens, output_tokens, total_tokens = used(reported)
    return Usage(input_tokens, output_tokens, total_tokens, cost, tuple(entries(reported)))


def _tokens(entry: dict[str, Any], name: str) -> int:
    value = entry.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_OF_ENTRY:
        return 0
    return int(value)

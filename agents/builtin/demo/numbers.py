"""Describes numbers: statistics, outliers, a small histogram."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

_BARS = "▏▎▍▌▋▊▉█"


def describe(values: Sequence[float]) -> dict[str, Any]:
    """Count, least, greatest, mean, median, quartiles and standard deviation.

    Raises:
        ValueError: there are no numbers.
    """
    if not values:
        raise ValueError("there are no numbers to describe")
    ordered = sorted(values)
    count = len(ordered)
    mean = math.fsum(value / count for value in ordered)  # divided first, because the sum may overflow
    spread = max(ordered[-1] - mean, mean - ordered[0])
    deviation = 0.0
    if 0 < spread < math.inf:
        deviation = spread * math.sqrt(math.fsum(((value - mean) / spread) ** 2 for value in ordered) / count)
    return {
        "count": count,
        "min": tidy(ordered[0]),
        "q1": tidy(_quantile(ordered, 0.25)),
        "median": tidy(_quantile(ordered, 0.5)),
        "q3": tidy(_quantile(ordered, 0.75)),
        "max": tidy(ordered[-1]),
        "mean": tidy(mean),
        "deviation": tidy(deviation),
    }


def outliers(rows: Sequence[tuple[int, float]], limit: int = 10) -> dict[str, Any]:
    """Values more than one and a half quartile distances outside the quartiles (Tukey's fences).

    Args:
        rows: `(row, value)` pairs.
        limit: the most outliers to list; all are counted.
    """
    ordered = sorted(value for _, value in rows)
    if len(ordered) < 4:
        return {"count": 0, "rows": []}
    q1, q3 = _quantile(ordered, 0.25), _quantile(ordered, 0.75)
    low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    found = [(row, value) for row, value in rows if not low <= value <= high]
    found.sort(key=lambda item: -max(low - item[1], item[1] - high))
    return {
        "count": len(found),
        "expected": [tidy(low), tidy(high)],
        "rows": [{"row": row, "value": tidy(value)} for row, value in found[:limit]],
    }


def histogram(values: Sequence[float], bins: int = 8) -> list[dict[str, Any]]:
    """How many values lie in each of `bins` equal parts of their range, as `{"from", "to", "count"}`."""
    if not values:
        return []
    low, high = min(values), max(values)
    width = high / bins - low / bins
    if not 0 < width < math.inf:
        return [{"from": tidy(low), "to": tidy(high), "count": len(values)}]
    counts = [0] * bins
    for value in values:
        counts[max(0, min(bins - 1, int(value / width - low / width)))] += 1
    return [
        {"from": tidy(low + index * width), "to": tidy(min(high, low + (index + 1) * width)), "count": count}
        for index, count in enumerate(counts)
    ]


def draw(bins: Sequence[dict[str, Any]], width: int = 24) -> str:
    """A histogram as lines of bars, for a code block."""
    most = max((entry["count"] for entry in bins), default=0) or 1
    labels = [f"{shown(entry['from'])} – {shown(entry['to'])}" for entry in bins]
    margin = max(map(len, labels), default=0)
    return "\n".join(
        f"{label:>{margin}}  {_bar(entry['count'] / most * width)} {entry['count']}"
        if entry["count"]
        else f"{label:>{margin}}  ·"
        for label, entry in zip(labels, bins, strict=True)
    )


def shown(number: float) -> str:
    """A number for people: four significant digits, thousands separated."""
    if number == 0 or 1e-4 <= abs(number) < 1e12:
        digits = 0 if float(number).is_integer() else max(0, 3 - math.floor(math.log10(abs(number) or 1)))
        text = f"{number:,.{digits}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{number:.3g}"


def tidy(number: float) -> float | int:
    """A number without rounding errors: nine significant digits, whole numbers as integers."""
    limit = sys.float_info.max  # a fence around huge numbers may exceed what JSON can express
    rounded = float(f"{max(-limit, min(limit, number)):.9g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 2**53 else rounded


def _quantile(ordered: Sequence[float], part: float) -> float:
    position = (len(ordered) - 1) * part
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    weight = position - below
    return ordered[below] * (1 - weight) + ordered[above] * weight


def _bar(length: float) -> str:
    eighths = max(1, round(length * 8))
    return "█" * (eighths // 8) + (_BARS[eighths % 8 - 1] if eighths % 8 else "")

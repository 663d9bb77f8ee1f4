"""Durations in words."""

from __future__ import annotations

# Seconds in a unit, its name, seconds in the unit of the rest, and its name.
_UNITS = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s"))


def duration(seconds: float) -> str:
    """A duration in short form: `350 ms`, `1.2 s`, `2 min 5 s`, `3 h 12 min`, `2 d 3 h`.

    Args:
        seconds: the duration in seconds; negative values count as 0.
    """
    seconds = max(0.0, seconds)
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    size, unit, below, below_unit = next(row for row in _UNITS if whole >= row[0])
    rest = whole % size // below
    return f"{whole // size} {unit}" + (f" {rest} {below_unit}" if rest else "")

"""Estimates events per minute without an index on dates and without counting rows: primary keys of events grow with
time, so a sample of (key, date) pairs shows how many events were written between two times.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from websocket_core.models import Event

SAMPLE = 400  # events read at a time
ROUNDS = 4  # rounds of narrowing: 400 to the power of 4 events are enough

Point = tuple[int, datetime]  # an event's number and date


def sample(since: datetime) -> list[Point]:
    """Return some events from just before `since` to the newest, in order, evenly spread by number."""
    numbers = Event.objects.order_by().values_list("pk", "created_at")
    first, last = numbers.order_by("pk").first(), numbers.order_by("-pk").first()
    if first is None or last is None or last[1] < since:
        return []
    low, points = first, [first, last]
    for _ in range(ROUNDS):
        wanted = _spread(low[0], last[0])
        found = dict(numbers.filter(pk__in=wanted))
        points = sorted({low, *found.items(), last})
        before = max((point for point in points if point[1] < since), default=low)
        if before == low or len(wanted) == last[0] - low[0] + 1:
            break
        low = before
    return [point for point in points if point >= low]


def per_bucket(points: Sequence[Point], start: datetime, width: timedelta, buckets: int) -> list[float]:
    """Estimate how many events fall into each bucket of time.

    Between two points, the events are assumed to be evenly spread.

    Args:
        points: as returned by `sample`.
        start: where the first bucket begins; the others follow, each `width` long.
    """
    counts = [0.0] * buckets
    if points:
        _add(counts, 1, _position(points[0][1], start, width), _position(points[0][1], start, width))
    newest = None
    for (number, at), (next_number, next_at) in pairwise(points):
        newest = max(newest or at, at)
        end = _position(max(next_at, newest), start, width)  # clocks of several processes differ a little
        steps = next_number - number
        begin = end if steps == 1 else _position(newest, start, width)
        _add(counts, steps, begin, end)
    return counts


def _spread(low: int, high: int) -> list[int]:
    if high - low < SAMPLE:
        return list(range(low, high + 1))
    return [low + (high - low) * number // (SAMPLE - 1) for number in range(SAMPLE)]


def _position(moment: datetime, start: datetime, width: timedelta) -> float:
    return (moment - start) / width


def _add(counts: list[float], amount: float, begin: float, end: float) -> None:
    """Spread `amount` evenly over the buckets from `begin` to `end`; amounts outside the buckets are dropped."""
    if end - begin < 1e-9:
        if 0 <= end < len(counts):
            counts[int(end)] += amount
        return
    for bucket in range(max(0, int(begin)), min(len(counts), int(end) + 1)):
        share = min(end, bucket + 1) - max(begin, bucket)
        counts[bucket] += amount * max(0.0, share) / (end - begin)

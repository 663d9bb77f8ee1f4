"""Converts seconds to pixels. Long waits for a person are folded; otherwise the rest of the run would be invisible."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from netra.agents.timeline.spans import Kind, Timeline
from netra.agents.timeline.words import duration

FOLD_WIDTH = 64.0  # pixels of a folded wait
FOLD_SECONDS = 10.0  # shorter waits are never folded
FOLD_SHARE = 2.0  # a wait is folded if it is this many times longer than the rest of the run
ROUND_SECONDS = (
    *(1, 2, 5, 10, 15, 30),
    *(60 * minutes for minutes in (1, 2, 5, 10, 15, 30)),
    *(3600 * hours for hours in (1, 2, 3, 6, 12)),
    *(86_400 * days for days in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)),
)


class Fold(NamedTuple):
    """A stretch of time that is drawn in `FOLD_WIDTH` pixels, however long it is."""

    start: float
    end: float


class Tick(NamedTuple):
    """A time on the axis, and its label."""

    second: float
    label: str


@dataclass(frozen=True, slots=True)
class Scale:
    """Places times of a run between `left` and `right`."""

    seconds: float
    left: float
    right: float
    folds: tuple[Fold, ...] = ()

    @property
    def per_second(self) -> float:
        """Pixels per second outside of folds."""
        shown = self.seconds - sum(fold.end - fold.start for fold in self.folds)
        return (self.right - self.left - FOLD_WIDTH * len(self.folds)) / shown if shown > 0 else 0.0

    def x(self, second: float) -> float:
        """The x coordinate of a time."""
        place, seen = self.left, 0.0
        for fold in self.folds:
            if second <= fold.start:
                break
            place += (fold.start - seen) * self.per_second
            inside = min(1.0, (second - fold.start) / (fold.end - fold.start))
            place += FOLD_WIDTH * inside
            seen = fold.end
            if second <= fold.end:
                return min(place, self.right)
        return min(place + (second - seen) * self.per_second, self.right)

    def ticks(self) -> Iterator[Tick]:
        """Round times for the axis, about 80 pixels apart. After a fold, they count from its end."""
        step = _round_step(80.0 / self.per_second) if self.per_second > 0 else 0.0
        begins = [0.0, *(fold.end for fold in self.folds)]
        ends = [*(fold.start for fold in self.folds), self.seconds]
        for begin, end in zip(begins, ends, strict=True):
            yield Tick(begin, "0" if begin == 0 else "")
            if step == 0:
                continue
            for number in range(1, int((end - begin) / step * 1.0001) + 1):
                label = duration(number * step).replace(".0 ", " ")
                yield Tick(begin + number * step, f"+{label}" if begin else label)


def scale(timeline: Timeline, left: float, right: float) -> Scale:
    """The scale for a run."""
    return Scale(timeline.seconds, left, right, tuple(_folds(timeline)))


def _folds(timeline: Timeline) -> list[Fold]:
    """The waits to fold: at most four, longest first, until the rest is balanced."""
    waits = _without(
        _merged((span.start, span.end) for span in timeline.spans if span.kind is Kind.APPROVAL),
        _merged((span.start, span.end) for span in timeline.spans if span.kind is not Kind.APPROVAL),
    )
    folds: list[Fold] = []
    rest = timeline.seconds
    for wait in sorted(waits, key=lambda wait: wait.start - wait.end)[:4]:
        length = wait.end - wait.start
        if length < FOLD_SECONDS or length < FOLD_SHARE * (rest - length):
            break
        folds.append(wait)
        rest -= length
    return sorted(folds)


def _merged(spans: Iterable[tuple[float, float]]) -> list[Fold]:
    found: list[Fold] = []
    for start, end in sorted(spans):
        if found and start <= found[-1].end:
            found[-1] = Fold(found[-1].start, max(end, found[-1].end))
        else:
            found.append(Fold(start, end))
    return found


def _without(waits: Sequence[Fold], busy: Sequence[Fold]) -> list[Fold]:
    """The waits without the times when something else was going on."""
    found: list[Fold] = []
    for wait in waits:
        start = wait.start
        for other in busy:
            if other.end <= start or other.start >= wait.end:
                continue
            if other.start > start:
                found.append(Fold(start, other.start))
            start = max(start, other.end)
        if start < wait.end:
            found.append(Fold(start, wait.end))
    return found


def _round_step(seconds: float) -> float:
    """The next round length of time: clock units above a second, decimals below."""
    if seconds > 1:
        return next((float(step) for step in ROUND_SECONDS if step >= seconds), 86_400 * _decimal(seconds / 86_400))
    return _decimal(seconds)


def _decimal(seconds: float) -> float:
    power = 10.0 ** math.floor(math.log10(seconds))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= seconds * 0.999)

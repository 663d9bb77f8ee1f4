"""How far a long command is: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time

from django.core.management.base import OutputWrapper

WIDTH = 30
BAR_SECONDS, LINE_SECONDS = 0.1, 5.0


class Progress:
    """Tells of steps.

    Args:
        out: where to.
        what: what is counted, in the plural.
        total: how many there are, about.
    """

    def __init__(self, out: OutputWrapper, what: str, total: int) -> None:
        self._out, self._what, self._total = out, what, total
        self._bar = out.isatty()
        self._next = time.monotonic() + (0.0 if self._bar else LINE_SECONDS)
        self._drawn = False

    def at(self, done: int) -> None:
        """So many are done."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + (BAR_SECONDS if self._bar else LINE_SECONDS)
        text = f"{done:,} of {self._total:,} {self._what}"
        if self._bar:
            filled = WIDTH * min(done, self._total) // max(self._total, 1)
            self._out.write(f"\r[{'#' * filled}{'.' * (WIDTH - filled)}] {text}\x1b[K", ending="")
            self._out.flush()
            self._drawn = True
        else:
            self._out.write(text)

    def end(self) -> None:
        """Clear the bar away: the command's own words come next."""
        if self._drawn:
            self._out.write("\r\x1b[K", ending="")
            self._drawn = False

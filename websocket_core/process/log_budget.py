"""A bound on log lines that strangers can cause."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class LogBudget:
    """Lets one line about a subject through every so many seconds, and counts those it holds back.

    Args:
        seconds: between two lines about the same subject.
        subjects: how many are told apart; further ones share one line, so that made-up names fill neither the log nor
            memory.
        clock: seconds, monotonic.
    """

    def __init__(
        self, seconds: float = 60.0, subjects: int = 50, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds, self._subjects, self._clock = seconds, subjects, clock
        self._last: dict[str, float] = {}  # when a line about this subject was let through
        self._held: dict[str, int] = {}
        self._lock = threading.Lock()

    def take(self, subject: str = "") -> int | None:
        """How many lines about this subject were held back since the last one; `None`: hold this one back, too."""
        now = self._clock()
        with self._lock:
            if subject not in self._last and len(self._last) >= self._subjects:
                self._forget(now)
                if len(self._last) >= self._subjects:
                    subject = ""
            if now - self._last.get(subject, float("-inf")) < self._seconds:
                self._held[subject] = self._held.get(subject, 0) + 1
                return None
            self._last[subject] = now
            return self._held.pop(subject, 0)

    def _forget(self, now: float) -> None:
        """Make room: forget subjects that may have a line again, and how many were held back."""
        for old in [name for name, at in self._last.items() if now - at >= self._seconds]:
            del self._last[old]
            self._held.pop(old, None)

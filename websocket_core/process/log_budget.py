"""A limit on log lines that untrusted input can cause."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class LogBudget:
    """Lets one line per subject through every few seconds, and counts the lines that it suppresses.

    Args:
        seconds: between two lines about the same subject.
        subjects: the most subjects to distinguish. Further ones share one line, so that invented names can fill neither
            the log nor memory.
        clock: returns seconds, monotonic.
    """

    def __init__(
        self, seconds: float = 60.0, subjects: int = 50, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds, self._subjects, self._clock = seconds, subjects, clock
        self._last: dict[str, float] = {}  # when the last line about this subject was let through
        self._held: dict[str, int] = {}
        self._lock = threading.Lock()

    def take(self, subject: str = "") -> int | None:
        """Ask to log a line about this subject.

        Returns:
            The number of lines suppressed since the last one, or `None` if this line is to be suppressed too.
        """
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
        """Make room: forget subjects that may have a line again, and their counts."""
        for old in [name for name, at in self._last.items() if now - at >= self._seconds]:
            del self._last[old]
            self._held.pop(old, None)

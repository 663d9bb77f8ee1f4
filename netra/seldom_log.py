"""Warnings that anybody on the network can cause: once a minute each, with how many more there were."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

EVERY_SECONDS = 60.0


class SeldomLog:
    """Writes each kind of warning at most once in `EVERY_SECONDS`.

    Args:
        log: where they go.
        clock: seconds, monotonic.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log, self._clock = log, clock
        self._written: dict[str, float] = {}
        self._more: dict[str, int] = {}

    def warning(self, message: str, *args: object) -> None:
        """Write this, or count it.

        Args:
            message: names the kind: a text of the program, never one of a client.
        """
        now = self._clock()
        if now - self._written.get(message, -EVERY_SECONDS) < EVERY_SECONDS:
            self._more[message] = self._more.get(message, 0) + 1
            return
        self._written[message] = now
        more = self._more.pop(message, 0)
        self._log.warning(message + (" (%d more like this)" if more else ""), *args, *([more] if more else []))

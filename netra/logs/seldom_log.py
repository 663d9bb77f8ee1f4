"""Warnings that anybody on the network can cause: once a minute each, with how many more there were."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from websocket_core.process.log_budget import LogBudget

EVERY_SECONDS = 60.0


class SeldomLog:
    """Writes each kind of warning at most once in `EVERY_SECONDS`.

    Args:
        log: where they go.
        clock: seconds, monotonic.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._budget = LogBudget(EVERY_SECONDS, clock=clock)

    def warning(self, message: str, *args: object) -> None:
        """Write this, or count it.

        Args:
            message: names the kind: a text of the program, never one of a client.
        """
        more = self._budget.take(message)
        if more is not None:
            self._log.warning(message + (" (%d more like this)" if more else ""), *args, *([more] if more else []))

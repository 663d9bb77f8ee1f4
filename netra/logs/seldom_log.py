"""Limits warnings that anyone on the network can cause: each is written once a minute, with a count of the others."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from websocket_core.process.log_budget import LogBudget

EVERY_SECONDS = 60.0


class SeldomLog:
    """Writes each kind of warning at most once in `EVERY_SECONDS`.

    Args:
        log: the logger that receives them.
        clock: seconds, monotonic.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._budget = LogBudget(EVERY_SECONDS, clock=clock)

    def warning(self, message: str, *args: object) -> None:
        """Write the warning, or count it.

        Args:
            message: identifies the kind; must be a text of the program, never one from a client.
        """
        more = self._budget.take(message)
        if more is not None:
            self._log.warning(message + (" (%d more like this)" if more else ""), *args, *([more] if more else []))

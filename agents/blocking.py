"""Names the agent that blocks the event loop, and for how long: blocking code in one run holds up everybody's."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

from agents.conf import conf

log = logging.getLogger(__name__)


class LoopMonitor:
    """Watches one event loop from a thread, while there are runs.

    The thread asks the loop to raise its hand, over and over; when the hand does not come up in `BLOCKING_SECONDS`,
    the task
    that runs at that moment is the one that blocks.
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to watch."""
        if self._thread is None:
            self._stop = threading.Event()  # the one before may still be read by a thread that ends
            target, args = self._watch, (loop, self._stop)
            self._thread = threading.Thread(target=target, args=args, name="netra-loop-monitor", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End, without waiting for the thread: it looks at its stop sign several times a second."""
        self._stop.set()
        self._thread = None

    @staticmethod
    def _watch(loop: asyncio.AbstractEventLoop, stop: threading.Event) -> None:
        limit: float = conf.BLOCKING_SECONDS
        while not stop.wait(limit / 2):
            raised = threading.Event()
            asked = time.monotonic()
            try:
                loop.call_soon_threadsafe(raised.set)
            except RuntimeError:  # the loop is closed
                return
            if raised.wait(limit):
                continue
            name = _running_task(loop)
            while not raised.wait(0.05):
                if stop.is_set() or loop.is_closed():
                    return
                name = name or _running_task(loop)
            log.warning(
                "%s blocked the event loop for %.1f s, and everybody with it; call blocking code with ctx.to_thread, "
                "or make the agent a plain `def`",
                name or "something",
                time.monotonic() - asked,
            )


def _running_task(loop: asyncio.AbstractEventLoop) -> str | None:
    """Name of the task that the loop executes right now; runs have their agent and run id in it."""
    task = asyncio.current_task(loop)
    return None if task is None else task.get_name()

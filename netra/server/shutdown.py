"""From the first signal to the end of the process."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable
from types import FrameType

from netra.server.ports import Stoppable

log = logging.getLogger(__name__)

LOOK = 0.02  # seconds between checks of what is still open
CANCEL = 2.0  # seconds that cancelled applications may take to end


class Shutdown:
    """Shuts the server down on SIGTERM and SIGINT.

    On the first signal, the server is no longer ready and accepts no WebSockets, but continues to answer HTTP, so that
    load balancers see that it is not ready. Then it drains, closes the remaining WebSockets with 1012, waits for the
    applications, and stops. On the second signal, the process ends at once.
    """

    def __init__(
        self, server: Stoppable, begin_drain: Callable[[], None], drain: Callable[[], Awaitable[None]]
    ) -> None:
        self._server = server
        self._begin_drain = begin_drain
        self._drain = drain
        self._signalled = False

    def listen_for_signals(self) -> None:
        """Install handlers for SIGTERM and SIGINT. Call this in the main thread, before the event loop runs."""
        # Not loop.add_signal_handler: uvloop loses signals that arrive before it runs, and a server that missed a
        # SIGTERM at its start would have to be killed.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._signalled:
            os.write(2, b"Second signal: ending at once\n")  # no other output is safe inside a signal handler
            os._exit(128 + number)
        self._signalled = True
        self._server.loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        log.info("Shutting down")
        self._server.draining = True
        self._task = self._server.loop.create_task(
            self._run()
        )  # kept, because the task could otherwise be garbage-collected

    async def _run(self) -> None:
        try:
            await self._end()
        except Exception:
            log.exception("The shutdown failed; ending anyway")
        finally:
            self._server.stop()

    async def _end(self) -> None:
        server, limits = self._server, self._server.limits
        try:
            self._begin_drain()
            async with asyncio.timeout(limits.drain):
                await self._drain()
        except TimeoutError:
            log.error("Draining took longer than %s s and was given up", limits.drain)
        except Exception:
            log.exception("Draining failed")
        for protocol in server.websockets():
            protocol.close(1012)
        deadline = time.monotonic() + limits.grace
        await _until(lambda: not server.websockets(), deadline)
        server.stop_listening()
        await _until(lambda: not server.applications(), deadline)
        left = server.applications()
        if left:
            log.warning("%d applications did not end in time and are cancelled", len(left))
        await _cancel(left)
        await _until(lambda: not server.connections, time.monotonic() + LOOK)
        await _cancel([task for task in asyncio.all_tasks() if task is not asyncio.current_task()])
        await server.loop.shutdown_asyncgens()


async def _until(condition: Callable[[], bool], deadline: float) -> None:
    # Only the end of the process waits for these conditions: they are not worth an event in every connection.
    while not condition() and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(LOOK)


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=CANCEL)

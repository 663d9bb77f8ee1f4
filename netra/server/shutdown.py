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

LOOK = 0.02  # seconds between two looks at who is still there
CANCEL = 2.0  # seconds that what was cancelled may take to end


class Shutdown:
    """What a server does on SIGTERM and SIGINT.

    First signal: not ready any more and no new WebSockets, but HTTP goes on, so that load balancers see that it is not
    ready; then drain, close the WebSockets that are left with 1012, wait for the applications, stop. Second signal: the
    process ends at once.
    """

    def __init__(
        self, server: Stoppable, begin_drain: Callable[[], None], drain: Callable[[], Awaitable[None]]
    ) -> None:
        self._server = server
        self._begin_drain = begin_drain
        self._drain = drain
        self._signalled = False

    def listen_for_signals(self) -> None:
        """Take over SIGTERM and SIGINT. To be called in the main thread, before the event loop runs."""
        # Not loop.add_signal_handler: what uvloop gets before it runs is lost, and a server that did not hear SIGTERM
        # in its first moments would have to be killed.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._signalled:
            os.write(2, b"Second signal: ending at once\n")  # nothing else is safe inside a signal handler
            os._exit(128 + number)
        self._signalled = True
        self._server.loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        log.info("Shutting down")
        self._server.draining = True
        self._task = self._server.loop.create_task(self._run())  # held, or it could be collected as garbage

    async def _run(self) -> None:
        try:
            await self._end()
        except Exception:
            log.exception("The shutdown failed; ending all the same")
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
            log.warning("%d applications did not end in time; they are cancelled", len(left))
        await _cancel(left)
        await _until(lambda: not server.connections, time.monotonic() + LOOK)
        await _cancel([task for task in asyncio.all_tasks() if task is not asyncio.current_task()])
        await server.loop.shutdown_asyncgens()


async def _until(condition: Callable[[], bool], deadline: float) -> None:
    # Nobody waits for these conditions but here, at the end of the process: not worth an event in every connection.
    while not condition() and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(LOOK)


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=CANCEL)

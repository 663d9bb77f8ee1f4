"""A worker's numbers for Prometheus, on a port of its own: workers have no HTTP otherwise.

Answered in a thread, with the help of the event loop: a worker whose loop hangs does not answer, so that this is a
liveness probe, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Metric, start_http_server
from prometheus_client.registry import REGISTRY, Collector

from agents import metrics

ANSWER_SECONDS = 5.0


class Numbers(Collector):
    """Every number of the process, brought up to date on its event loop first."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def collect(self) -> Iterable[Metric]:
        """Yield what Prometheus gets.

        Raises:
            TimeoutError: the event loop does not turn.
        """
        asyncio.run_coroutine_threadsafe(metrics.refresh(), self._loop).result(ANSWER_SECONDS)
        yield from REGISTRY.collect()


def serve(host: str, port: int) -> None:
    """Answer on this address until the process ends.

    Raises:
        OSError: the address cannot be had.
    """
    registry = CollectorRegistry()
    registry.register(Numbers(asyncio.get_running_loop()))
    start_http_server(port, host, registry)

"""Is this process on its way out? One flag that readiness, the consumer and the runtime look at, and what is to be
done then, in order.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

DrainStep = Callable[[], Awaitable[None]]


class Lifecycle:
    """Whether the process drains, and the steps of draining.

    The steps are registered by those who own something that must end well (connections, runs, the journal) with the
    place at which they come;
    the server that got the signal runs them.
    """

    def __init__(self) -> None:
        self.draining = False
        self._steps: dict[str, tuple[int, DrainStep]] = {}

    def on_drain(self, name: str, order: int, step: DrainStep) -> None:
        """Register a step; the same name replaces the earlier one. Lower orders run first."""
        self._steps[name] = (order, step)

    def begin(self) -> None:
        """From now on the process is not ready and takes nothing new."""
        self.draining = True

    async def drain(self) -> None:
        """Run every step. A step that fails is logged and does not keep the others from running."""
        self.begin()
        for name, (_, step) in sorted(self._steps.items(), key=lambda item: item[1][0]):
            try:
                await step()
            except Exception:
                log.exception("drain step %s failed", name)


lifecycle = Lifecycle()


def begin_drain() -> None:
    """See `Lifecycle.begin`."""
    lifecycle.begin()


def is_draining() -> bool:
    """Whether this process is on its way out."""
    return lifecycle.draining


async def drain() -> None:
    """See `Lifecycle.drain`."""
    await lifecycle.drain()

"""The gateway: everything of Netra on one event loop. A bell, a journal, connections, shared limits, and further parts.

An event loop has one gateway, created on first use. The gateway creates the objects of the loop and passes each one
what it needs, so nothing below this module looks anything up. It is also the only place where all of them are drained.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from typing import Protocol, TypeVar, cast

from websocket_core.bell import Bell
from websocket_core.bell.thread_bell import thread_bell
from websocket_core.conf import conf
from websocket_core.connections import ConnectionLog, Hub, Watchdog
from websocket_core.database import db
from websocket_core.journal import Journal
from websocket_core.limits import Limiter, action_limiter, start_limiter
from websocket_core.limits.sharing import LimitSharing
from websocket_core.process import metrics
from websocket_core.process.heartbeat import this_process
from websocket_core.process.lifecycle import lifecycle

log = logging.getLogger(__name__)


class Part(Protocol):
    """Something that lives on a gateway's event loop and has to be drained."""

    async def drain(self) -> None:
        """End everything in progress. The process accepts nothing new by then. Idempotent."""


P = TypeVar("P", bound=Part)


class Gateway:
    """Everything of Netra on one event loop. Must be created on that loop, by `get_gateway`.

    Attributes:
        loop: the event loop.
        serves: whether the loop runs until the process is told to end. Other loops end with a single piece of work:
            `async_to_sync` in a command, a task of a queue or a view under WSGI, or `asyncio.run` in a script. A run or
            a message to the channel layer would not survive that, so neither is started on such a loop.
        bell: rings, in every process, with news of what happened here.
        journal: commits what happens on this loop.
        hub: the connections of this loop.
        watchdog: polls the database, while there are connections, for events that the hub has missed.
        limits: reports to other processes what users have used here.
    """

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.serves = self._begun = False
        self.bell = Bell(self.loop, thread_bell.outage, stand_in=lambda: None if self.serves else thread_bell.bell)
        self.journal = Journal(self.bell)
        self.hub = Hub(ConnectionLog(self.journal))
        self.watchdog = Watchdog(self.hub)
        self.hub.attended_by(self.watchdog)
        self.limits = LimitSharing()
        self._parts: dict[Callable[[], Part], Part] = {}

    def part(self, make: Callable[[], P]) -> P:
        """Return the object that `make` creates, once per loop. A room above the core uses this for its own parts.

        Parts are drained after the gateway's connections are closed, in the order of their creation.
        """
        part = self._parts.get(make)
        if part is None:
            part = self._parts[make] = make()
        return cast("P", part)

    def serve(self) -> None:
        """Mark the loop as serving: it has a connection, a request or a job. Repeated calls cost next to nothing."""
        if self._begun:
            return
        self._begun = self.serves = True
        if this_process.kind == "command":
            this_process.kind = "server"
        lifecycle.join(self)
        lifecycle.on_drain(_retire)
        lifecycle.begin_serving()

    async def drain(self) -> None:
        """Close the connections, end the parts and commit the rest. The process need not drain this gateway again.

        A failure is logged, and the rest is still drained. Idempotent.
        """
        steps = [
            self.hub.drain,
            *(part.drain for part in self._parts.values()),
            self.journal.flush,
            self.limits.stop,
            self.bell.close,
        ]
        for step in steps:
            try:
                await step()
            except Exception:
                log.exception("%s failed while draining", step.__qualname__)
        lifecycle.leave(self)


async def _retire() -> None:
    await db.write(this_process.retire)


_gateways: dict[asyncio.AbstractEventLoop, Gateway] = {}
lifecycle.on_end(_gateways.clear)
os.register_at_fork(after_in_child=_gateways.clear)  # a forked process has the loops without their threads


def get_gateway() -> Gateway:
    """The gateway of the running event loop.

    Raises:
        RuntimeError: no event loop is running.
    """
    loop = asyncio.get_running_loop()
    gateway = _gateways.get(loop)
    if gateway is None:
        for ended in [other for other in list(_gateways) if other.is_closed()]:
            _gateways.pop(ended, None)
        gateway = _gateways[loop] = Gateway()
    return gateway


def serving_loop() -> asyncio.AbstractEventLoop | None:
    """An event loop of this process that serves; `None` where there is none."""
    return next((gateway.loop for gateway in _open() if gateway.serves and gateway.loop.is_running()), None)


def _share(limiter: Limiter, user_id: str, cost: float) -> None:
    """Report an admitted cost to other processes, if there are any and if this loop serves."""
    if not conf.REDIS_URL:
        return
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return
    gateway = _gateways.get(loop)
    if gateway is not None and gateway.serves:
        gateway.limits.note(limiter, user_id, cost)


action_limiter.on_take = start_limiter.on_take = _share


def _open() -> list[Gateway]:
    return [gateway for loop, gateway in list(_gateways.items()) if not loop.is_closed()]


# Prometheus reads these when it scrapes. They cover all event loops of the process.
metrics.journal_backlog.set_function(lambda: sum(gateway.journal.backlog for gateway in _open()))
metrics.waiting_rings.set_function(lambda: thread_bell.waiting + sum(gateway.bell.waiting for gateway in _open()))
metrics.tasks.set_function(lambda: sum(len(asyncio.all_tasks(gateway.loop)) for gateway in _open()))

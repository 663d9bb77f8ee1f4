"""Which event loops of this process serve: they go on until the process is told to end.

Others end with what they were made for: `async_to_sync` in a command, in a task of a queue or in a view under WSGI,
`asyncio.run` in a script. A run, or a message on its way to the channel layer, does not survive that; so there neither
is left to the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from weakref import WeakSet

from asgiref.sync import AsyncToSync
from django.core import mail

from websocket_core.process.heartbeat import this_process

Begin = Callable[[], None]


class Serving:
    """The loops that serve, and what begins with each of them."""

    def __init__(self) -> None:
        self._loops: WeakSet[asyncio.AbstractEventLoop] = WeakSet()
        self._steps: dict[str, Begin] = {}

    def on_begin(self, name: str, step: Begin) -> None:
        """Register what every serving loop does; the same name replaces the earlier one."""
        self._steps[name] = step

    def begin(self) -> None:
        """The running loop serves: it has taken a connection or a request. Costs nothing when it is known."""
        loop = asyncio.get_running_loop()
        if loop in self._loops:
            return
        self._loops.add(loop)
        if this_process.kind == "command":
            this_process.kind = "server"
        for step in self._steps.values():
            step()

    def here(self) -> bool:
        """Whether the running loop serves. In tests every loop does but those of `async_to_sync`."""
        loop = asyncio.get_running_loop()
        if loop in self._loops:
            return True
        return hasattr(mail, "outbox") and loop not in AsyncToSync.loop_thread_executors


serving = Serving()

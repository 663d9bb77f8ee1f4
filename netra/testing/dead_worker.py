"""A process that dies in the middle of a tool call, as far as others can tell.

After `tool_executing` was committed, the agent stands still there, without any `finally`, and what it does beside
stands still at its next event. The run has no further event, and its lease is not renewed. Then the lease runs out,
and the sweeper finds the run. Only the clock is helped: the test does not wait for `NETRA_LEASE_SECONDS`.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from netra.agents.authoring.run_events import RunEvents
from netra.agents.models import Run
from netra.agents.service import get_runtime
from websocket_core.database import db
from websocket_core.process.tasks import process_task


class DeadWorker:
    """Waits for a tool call, and dies in it.

    Args:
        in_tool: the tool's name; `None`: the next one, whatever it is called.

    Attributes:
        deaths: how often it will still die; further tool calls survive.
    """

    def __init__(self, in_tool: str | None) -> None:
        self.in_tool, self.deaths = in_tool, 1
        self._dead: set[RunEvents] = set()
        self._bodies: list[asyncio.Future[None]] = []
        self._buried = False

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Stand between agents and their events, until the patch is undone."""
        emit = RunEvents.emit

        async def emit_and_die(
            events: RunEvents, event_type: str, data: Mapping[str, Any], *, wait: bool = False
        ) -> None:
            dies = event_type == "tool_executing" and self.deaths and self.in_tool in (None, data["tool_name"])
            if dies:
                self.deaths -= 1
            await emit(events, event_type, data, wait=wait or bool(dies))
            if dies:
                await self._die(events)

        patch.setattr(RunEvents, "emit", self._unless_dead(emit_and_die))
        for name in ("delta", "emit_operation", "emit_together", "settle"):
            patch.setattr(RunEvents, name, self._unless_dead(getattr(RunEvents, name)))

    def _unless_dead(self, method: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        @functools.wraps(method)
        async def go_on(events: RunEvents, *args: Any, **named: Any) -> None:
            if events in self._dead:
                await self._stand_still()
            await method(events, *args, **named)

        return go_on

    async def _die(self, events: RunEvents) -> None:
        held = get_runtime().runner._held
        run_pk = next(pk for pk, one in held.items() if one.execution and one.execution.context.events is events)
        del held[run_pk]  # nobody renews the lease any more
        self._dead.add(events)
        events._clear_delta()  # what waited to be sent with more of it
        process_task(_found(run_pk), "netra-testing-sweep")
        await self._stand_still()

    async def _stand_still(self) -> None:
        if not self._buried:
            body: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._bodies.append(body)
            await body

    def bury(self) -> None:
        """Let go of what is left of the dead. What it still tries is refused: the run is no longer its own."""
        self._buried = True
        for body in self._bodies:
            body.cancel()


async def _found(run_pk: int) -> None:
    await db.write(_end_lease, run_pk)
    await get_runtime().sweeper.sweep()


def _end_lease(run_pk: int) -> None:
    Run.objects.filter(pk=run_pk).update(lease_until=Now() - timedelta(seconds=1))

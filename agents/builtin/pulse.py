"""An agent for load tests: emits events at a given pace, including kinds that stay open if a process dies.

It is not registered by default. A deployment to be load-tested names it: `NETRA_AGENT_MODULES=netra.agents.pulse`.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from netra.agents.authoring.context import AgentContext
from netra.agents.errors import AgentError
from netra.agents.registry import agent

MOST_EVENTS = 100_000
TOOL_EVERY = 10  # events per tool call
PADDING = "x" * 10_000


async def beat(ctx: AgentContext, input: dict[str, Any]) -> int:
    """Publish `events` numbers, one every `pause` seconds, each with `size` characters of padding.

    Raises:
        AgentError: the input is invalid.
    """
    try:
        events, pause = int(input.get("events", 10)), float(input.get("pause", 0.1))
        padding = PADDING[: int(input.get("size", 0))]
    except (TypeError, ValueError):
        raise AgentError("The pulse needs numbers: events, pause (seconds), size (characters).") from None
    if not 0 <= events <= MOST_EVENTS or not 0 <= pause <= 60:
        raise AgentError(f"The pulse accepts up to {MOST_EVENTS} events and a pause of up to 60 s.")
    began = time.monotonic()
    for first in range(0, events, TOOL_EVERY):
        async with ctx.tool("pulse", {"from": first}) as call:
            for number in range(first, min(first + TOOL_EVERY, events)):
                # Timed by the clock, so that a slow commit does not slow the pace.
                await asyncio.sleep(max(0.0, began + number * pause - time.monotonic()))
                await ctx.publish_state({"number": number, "padding": padding})
            call.result = first
    return events


@agent("pulse", description="Events at a given pace, for load tests")
async def pulse(ctx: AgentContext, input: dict[str, Any]) -> int:
    """Return the number of events."""
    return await beat(ctx, input)

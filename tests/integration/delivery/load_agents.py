"""Agents of the load tests, loaded by the servers under test through NETRA_AGENT_MODULES."""

import asyncio
import time
from typing import Any

from netra.agents import AgentContext, agent


@agent("flood")
async def flood(ctx: AgentContext, input: dict[str, Any]) -> None:
    """Publishes `events` events of about `size` bytes as fast as it may."""
    for number in range(input["events"]):
        await ctx.publish_state([number, "x" * input["size"]])


@agent("paced")
async def paced(ctx: AgentContext, input: dict[str, Any]) -> None:
    """Publishes `events` times the moment, `rate` of them a second."""
    began = time.monotonic()
    for number in range(input["events"]):
        await asyncio.sleep(max(0.0, began + number / input["rate"] - time.monotonic()))
        await ctx.publish_state({"number": number, "at": time.monotonic(), "text": "x" * input.get("size", 0)})

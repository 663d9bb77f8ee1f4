"""Agents of the fault tests, loaded by the servers under test through NETRA_AGENT_MODULES."""

import asyncio
from typing import Any

from netra.agents import AgentContext, agent


@agent("ticker")
async def ticker(ctx: AgentContext, input: dict[str, Any]) -> int:
    """Publishes numbers at a pace."""
    for number in range(input["events"]):
        await ctx.publish_state({"number": number})
        await asyncio.sleep(input.get("pause", 0.01))
    return int(input["events"])


@agent("quiet")
async def quiet(ctx: AgentContext, input: dict[str, Any]) -> str:
    """Calls a tool that says nothing for some seconds."""
    async with ctx.tool("dig", {}) as call:
        await asyncio.sleep(input["seconds"])
        call.result = "found"
    return "found"

"""Agents of the isolation tests, loaded by servers under test through NETRA_AGENT_MODULES."""

import asyncio

from netra.agents import AgentContext, agent


@agent("probe_marked")
async def marked(ctx: AgentContext, input: dict[str, str]) -> dict[str, str]:
    """Put the marker into every kind of payload."""
    marker = input["marker"]
    await ctx.think(marker)
    async with ctx.tool("look", {"for": marker}) as call:
        await asyncio.sleep(0.05)
        call.result = {"found": marker}
    await ctx.publish_state({"marker": marker})
    await ctx.say(marker)
    return {"marker": marker}


@agent("probe_asking")
async def asking(ctx: AgentContext, input: dict[str, str]) -> dict[str, bool]:
    """Wait for a decision."""
    decision = await ctx.approve(input["marker"], tool_name="send", arguments={"what": input["marker"]})
    return {"approved": decision.approved}

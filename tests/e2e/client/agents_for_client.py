"""Agents for the client's tests: one rests until it is stopped, one asks, one says as much as it is told to."""

import asyncio
from typing import Any

from netra.agents import AgentContext, agent


@agent("resting", description="Works until it is stopped")
async def resting(ctx: AgentContext, input: Any) -> None:
    await ctx.think("This takes as long as it takes.")
    await asyncio.Event().wait()


@agent("asking", description="Asks before it goes on")
async def asking(ctx: AgentContext, input: Any) -> bool:
    decision = await ctx.approve("May I?")
    return decision.approved


@agent("talking", description="Publishes `count` states, a moment apart")
async def talking(ctx: AgentContext, input: dict[str, Any]) -> None:
    for number in range(int(input["count"])):
        await ctx.publish_state({"number": number})
        await asyncio.sleep(float(input.get("pause", 0)))

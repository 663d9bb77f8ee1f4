"""An agent that runs until it is stopped."""

import asyncio

from netra.agents import AgentContext, agent


@agent("wait_for_ever")
async def wait_for_ever(ctx: AgentContext, input: dict[str, object]) -> None:
    await ctx.think("Waiting")
    await asyncio.Event().wait()

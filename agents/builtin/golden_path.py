"""Agents that come with Netra.

`test` emits all critical events in a moment, without a network. The demo is in `netra.agents.builtin.demo.agent`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from netra.agents.authoring.context import AgentContext
from netra.agents.builtin.demo import agent as demo  # noqa: F401 - registers itself
from netra.agents.registry import agent


@agent("test", aliases=("test_agent",), description="Shows the golden path: thinks, uses a tool, answers")
async def test(ctx: AgentContext, input: Any) -> dict[str, Any]:
    """Emit all five critical events in well under a second. The answer repeats the question."""
    message = input.get("message") if isinstance(input, dict) else None
    await ctx.think("Reading the question. ")
    async with ctx.tool("echo", {"text": message}) as call:
        await asyncio.sleep(0.05)
        call.result = {"text": message}
    await ctx.say(f"You said: {message}" if isinstance(message, str) else "Everything works.")
    return {"echo": input}

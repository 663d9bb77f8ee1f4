"""Agents that are watched, loaded by server and worker through NETRA_AGENT_MODULES."""

import asyncio
import logging
from typing import Any

from opentelemetry import trace

from netra.agents import AgentContext, agent

log = logging.getLogger("observed")


@agent("slow")
async def slow(ctx: AgentContext, input: dict[str, Any]) -> str:
    """Works for a moment, with a line in the log and a span of its own."""
    log.info("at work")
    with trace.get_tracer("theirs").start_as_current_span("their own work"):
        await ctx.think(f"about {input['message']}")
        await asyncio.sleep(1)
    return f"done with {input['message']}"


@agent("failing")
async def failing(ctx: AgentContext, input: dict[str, Any]) -> None:
    """Fails with words that are nobody's business."""
    raise ValueError("the agent's secret")

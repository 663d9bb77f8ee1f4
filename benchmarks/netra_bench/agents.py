"""The agent that is measured: numbered events with the time of their emission, with a turn of the loop before each."""

import asyncio
import time

from netra.agents import AgentContext, agent

PAD = "x" * 100_000
OVERHEAD = 250  # bytes of one event's frame around the padding, about


@agent("bench")
async def bench(ctx: AgentContext, input: dict) -> None:
    rate = input.get("rate") or 0
    pad = PAD[: max(0, input["size"] - OVERHEAD)]
    began = time.monotonic()
    for number in range(input["events"]):
        delay = began + number / rate - time.monotonic() if rate else 0
        await asyncio.sleep(max(0, delay))
        await ctx.publish_state({"seq": number, "ts": time.monotonic_ns(), "text": pad})

"""Agents whose workers are killed, paused and ended. What they do leaves a trace in files, so that it can be counted.

Gates are files, too: an agent goes on when the one that its input names is there.
"""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

from netra.agents import AgentContext, SyncAgentContext, ToolDenied, agent

FOLDER = Path(os.environ["TRACES"])


def trace(run_id: str, what: str) -> None:
    """Note what was done, in one write: processes do not mix their lines."""
    with (FOLDER / "traces" / run_id).open("a") as file:
        file.write(f"{what} {os.getpid()}\n")


async def gate(name: str) -> None:
    """Wait until the gate is open."""
    while not (FOLDER / "gates" / name).exists():  # noqa: ASYNC110 - opened by another process
        await asyncio.sleep(0.05)


async def _work(ctx: AgentContext, input: dict[str, Any]) -> str:
    async with ctx.tool("work") as call:
        trace(ctx.run_id, "began")
        await gate(input["gate"])
        trace(ctx.run_id, "ended")
        call.result = os.getpid()
    return "done"


agent("steady", description="Works until its gate is open")(_work)
agent("again", description="The same; lost, it is tried again", on_loss="retry")(_work)


@agent("asks")
async def asks(ctx: AgentContext, input: dict[str, Any]) -> bool:
    """Asks, and waits for the answer."""
    return (await ctx.approve("May I?", tool_name="work")).approved


@agent("stoppable")
async def stoppable(ctx: AgentContext, input: dict[str, Any]) -> None:
    """Goes on until it is stopped: in a tool, thinking, or waiting for an answer."""
    try:
        if input["where"] == "in a tool":
            async with ctx.tool("work"):
                await gate("never")
        elif input["where"] == "thinking":
            while True:
                await ctx.think(".")
                await asyncio.sleep(0.01)
        await ctx.approve("May I?")
    except asyncio.CancelledError:
        trace(ctx.run_id, "cancelled")
        raise


@agent("sleeps")
def sleeps(ctx: SyncAgentContext, input: dict[str, Any]) -> None:
    """Blocks its own thread, deaf to everything."""
    ctx.think("z")
    time.sleep(600)


@agent("blocks")
async def blocks(ctx: AgentContext, input: dict[str, Any]) -> None:
    """Blocks its worker's event loop, as nobody should."""
    await ctx.think("z")
    await asyncio.sleep(0.2)  # the thought is on its way
    time.sleep(input["seconds"])  # noqa: ASYNC251


@agent("quick")
async def quick(ctx: AgentContext, input: dict[str, Any]) -> None:
    """Says who runs in a thread; two at once would be found out."""
    mark = FOLDER / "running" / ctx.thread_id
    descriptor = os.open(mark, os.O_CREAT | os.O_EXCL)  # raises when another run of the thread is under way
    os.close(descriptor)
    trace(ctx.run_id, "ran")
    try:
        await gate(input.get("gate", "open"))
    finally:
        mark.unlink()


@agent("sells")
async def sells(ctx: AgentContext, input: dict[str, Any]) -> bool:
    """Sells what it may sell."""
    decision = await ctx.approve("Sell?", tool_name="sell", arguments={"what": "boat"})
    try:
        async with ctx.tool("sell", {"what": "boat"}, approval=decision):
            trace(ctx.run_id, "sold")
    except ToolDenied:
        return False
    return True


@agent("streams")
async def streams(ctx: AgentContext, input: dict[str, Any]) -> dict[str, Any]:
    """Streams the time, at a pace: each delta says when it was written."""
    rate, count = input["rate"], int(input["rate"] * input["seconds"])
    began, text = time.monotonic(), []
    async with ctx.message() as message:
        for number in range(count):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            delta = f"{time.time():.6f} "
            text.append(delta)
            await message.append(delta)
    return {"text": "".join(text), "seconds": time.monotonic() - began}

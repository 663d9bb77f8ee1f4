"""Ends what a test has begun in its event loop: what Netra has there, and every task that is left."""

from __future__ import annotations

import asyncio

from netra.testing.ending import end_serving


async def end_loop() -> None:
    """End everything in the running event loop."""
    await end_serving()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=5)

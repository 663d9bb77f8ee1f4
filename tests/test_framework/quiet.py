"""Stops everything that a test started in its event loop: the parts of Netra, and all remaining tasks."""

from __future__ import annotations

import asyncio

from netra.testing.ending import end_serving


async def end_loop() -> None:
    """Stop everything in the running event loop."""
    await end_serving()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=5)

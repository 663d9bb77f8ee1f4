"""Ends what a test has begun: connections, runs, journals, tasks, threads, database connections.

Everything below lives as long as an event loop or the process; the next test has a loop of its own, and its database
is emptied before it begins.
"""

from __future__ import annotations

import asyncio

from channels.layers import channel_layers
from django.test.utils import override_settings

from websocket_core.process.lifecycle import lifecycle

# Draining for real, but without patience: who still runs when its test is over has been forgotten there.
IMPATIENT = {"NETRA_DRAIN_SECONDS": 0.0, "NETRA_STOP_GRACE_SECONDS": 0.2, "NETRA_STALL_SECONDS": 0.2}


async def end_loop() -> None:
    """End everything in the running event loop, the way a server does that gets SIGTERM; then whatever is left."""
    with override_settings(**IMPATIENT):
        await lifecycle.drain()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=5)


def end_process_state() -> None:
    """End what lives in the process, and Channels' own objects of the process: its layers."""
    lifecycle.end()
    channel_layers.backends.clear()

"""Ends what a test has begun: connections, runs, journals, threads, database connections.

All of it lives as long as an event loop or the process; the next test has a database that was emptied.
"""

from __future__ import annotations

from channels.layers import channel_layers
from django.test.utils import override_settings

from websocket_core.process.lifecycle import lifecycle

# Draining without patience: a run that still goes on when its test is over has been forgotten there.
IMPATIENT = {"NETRA_DRAIN_SECONDS": 0.0, "NETRA_STOP_GRACE_SECONDS": 0.2, "NETRA_STALL_SECONDS": 0.2}


async def end_serving() -> None:
    """End what Netra has in the running event loop, the way a server does that gets SIGTERM."""
    with override_settings(**IMPATIENT):
        await lifecycle.drain()


def end_process_state() -> None:
    """End what lives in the process, and Channels' own objects of the process: its layers."""
    lifecycle.end()
    channel_layers.backends.clear()

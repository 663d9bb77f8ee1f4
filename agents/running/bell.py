"""The bell that tells runners, in every process, to look for new wishes: somebody stopped a run, or decided."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from channels.layers import get_channel_layer

from netra.agents.conf import conf
from websocket_core.process.background import Outage, repeat

log = logging.getLogger(__name__)

RUNNERS_GROUP = "netra.runners"
LOOK_MESSAGE = "netra.look"  # somebody's wishes changed


async def listen(look: Callable[[], None]) -> None:
    """Call `look` whenever another process rings, until cancelled. A ring that is lost costs `LOOK_SECONDS`."""
    outage = Outage(log, "runners' bell", f"wishes are looked for every {conf.LOOK_SECONDS} s")
    await repeat(outage, partial(_hear, look, outage))


async def _hear(look: Callable[[], None], outage: Outage) -> None:
    """Join the group and hear its rings, until the channel layer fails."""
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(RUNNERS_GROUP, channel)
    outage.over()
    look()  # for what was rung while nobody listened
    try:
        while True:
            await layer.receive(channel)
            look()
    finally:
        with suppress(Exception):  # the channel layer that failed may refuse this, too
            async with asyncio.timeout(2):
                await layer.group_discard(RUNNERS_GROUP, channel)

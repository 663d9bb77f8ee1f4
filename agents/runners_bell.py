"""The bell that tells runners, in every process, to look for new wishes: somebody stopped a run, or decided."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from channels.layers import get_channel_layer

from agents.conf import conf

log = logging.getLogger(__name__)

RUNNERS_GROUP = "netra.runners"
LOOK_MESSAGE = "netra.look"  # somebody's wishes changed


async def listen(look: Callable[[], None]) -> None:
    """Hear the ring of other processes, and look. A ring that is lost costs `LOOK_SECONDS`."""
    layer = get_channel_layer()
    try:
        channel = await layer.new_channel()
        await layer.group_add(RUNNERS_GROUP, channel)
        try:
            while True:
                await layer.receive(channel)
                look()
        finally:
            async with asyncio.timeout(2):
                await layer.group_discard(RUNNERS_GROUP, channel)
    except asyncio.CancelledError:
        raise
    except Exception as error:  # noqa: BLE001 - trouble of the database or the layer is waited out
        log.info(
            "runner: the channel layer is away (%s); looking every %s s instead",
            type(error).__name__,
            conf.LOOK_SECONDS,
        )

"""Settings with a channel layer that drops, doubles and delays one message in ten each, and one of capacity 1."""

import asyncio
import os
import random
from typing import Any

from netra.settings import *  # noqa: F403
from websocket_core.layers import InProcessChannelLayer


class FaultyLayer(InProcessChannelLayer):
    """The real layer, with what can happen to messages happening to them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._dice = random.Random(4711)  # the same faults in every run
        self._late: set[asyncio.Task[None]] = set()

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        fate = self._dice.random()
        if fate < 0.1:
            return
        if fate < 0.2:
            await super().group_send(group, message)
        elif fate < 0.3:
            task = asyncio.create_task(self._send_late(group, message))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
            return
        await super().group_send(group, message)

    async def _send_late(self, group: str, message: dict[str, Any]) -> None:
        await asyncio.sleep(self._dice.random() / 5)
        await super().group_send(group, message)


if os.environ["FAULT"] == "faulty":
    CHANNEL_LAYERS = {"default": {"BACKEND": "tests.integration.faults.faulty_layer.FaultyLayer"}}
else:
    CHANNEL_LAYERS = {
        "default": {"BACKEND": "websocket_core.layers.InProcessChannelLayer", "CONFIG": {"capacity": 1}},
    }

"""Settings with channel layers that fail: one drops, doubles and delays one message in ten each, one has a capacity of
1, and one cannot be joined.
"""

import asyncio
import os
import random
from typing import Any

from channels_redis.pubsub import RedisPubSubChannelLayer

from netra.settings import *  # noqa: F403
from websocket_core.bell.in_process_layer import InProcessChannelLayer


class _Faults:
    """What can happen to a group message, in front of a real layer."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._dice = random.Random(4711)  # the same faults in every run
        self._late: set[asyncio.Task[None]] = set()

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        fate = self._dice.random()
        if fate < 0.1:
            return
        if fate < 0.2:
            await self.send_really(group, message)
        elif fate < 0.3:
            task = asyncio.create_task(self._send_late(group, message))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
            return
        await self.send_really(group, message)

    async def _send_late(self, group: str, message: dict[str, Any]) -> None:
        await asyncio.sleep(self._dice.random() / 5)
        await self.send_really(group, message)

    async def send_really(self, group: str, message: dict[str, Any]) -> None:
        raise NotImplementedError


class FaultyLayer(_Faults, InProcessChannelLayer):
    """Netra's own layer, with faults."""

    async def send_really(self, group: str, message: dict[str, Any]) -> None:
        await InProcessChannelLayer.group_send(self, group, message)


class FaultyPubSubLayer(_Faults, RedisPubSubChannelLayer):
    """The layer for several processes, with faults."""

    async def send_really(self, group: str, message: dict[str, Any]) -> None:
        await self._get_layer().group_send(group, message)


class UnjoinableLayer(InProcessChannelLayer):
    """A layer that never answers who wants to join a group: packets that go nowhere."""

    async def group_add(self, group: str, channel: str) -> None:
        await asyncio.Event().wait()


BACKENDS = {
    "faulty": "FaultyPubSubLayer" if NETRA_REDIS_URL else "FaultyLayer",  # noqa: F405
    "unjoinable": "UnjoinableLayer",
}
if os.environ["FAULT"] in BACKENDS:
    backend = f"tests.integration.faults.faulty_layer.{BACKENDS[os.environ['FAULT']]}"
    CHANNEL_LAYERS["default"]["BACKEND"] = backend  # noqa: F405
else:
    CHANNEL_LAYERS["default"]["CONFIG"] = {"capacity": 1}  # noqa: F405

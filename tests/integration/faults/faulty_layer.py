"""Settings with channel layers that fail: one drops, doubles and delays one message in ten each, one has a capacity of
1, and one cannot be joined.
"""

import asyncio
import os
import random
from typing import Any

from channels_redis.pubsub import RedisPubSubChannelLayer

from netra.settings import *  # noqa: F403
from netra.testing.bell import Fate, FatefulSender
from websocket_core.bell.in_process_layer import InProcessChannelLayer


class _Faults:
    """What can happen to a group message, in front of a real layer."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._dice = random.Random(4711)  # the same faults in every run
        self._sender = FatefulSender(self._roll)

    def _roll(self) -> Fate:
        number = self._dice.random()
        if number < 0.1:
            return Fate(copies=0)
        if number < 0.2:
            return Fate(copies=2)
        if number < 0.3:
            return Fate(delay=self._dice.random() / 5)
        return Fate()

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        await self._sender.send(lambda: self.send_really(group, message))

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

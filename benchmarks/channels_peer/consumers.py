"""Consumers as the Channels documentation recommends."""

import asyncio
import time
import uuid
from typing import Any
from urllib.parse import parse_qs

from channels.generic.websocket import AsyncJsonWebsocketConsumer

PAD = "x" * 100_000
OVERHEAD = 112  # bytes of an event's JSON around the text, about


class GroupConsumer(AsyncJsonWebsocketConsumer):
    """Events go to the user's group; every tab of the user gets them."""

    async def connect(self) -> None:
        self.user = parse_qs(self.scope["query_string"].decode())["user"][0]
        self.group = f"user_{self.user}"
        self.tasks: set[asyncio.Task[None]] = set()
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        for task in self.tasks:
            task.cancel()
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive_json(self, content: dict[str, Any], **kwargs: Any) -> None:
        task = asyncio.create_task(self.run_agent(content["input"]))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def run_agent(self, input: dict[str, Any]) -> None:
        rate, run, began = input.get("rate") or 0, uuid.uuid4().hex, time.monotonic()
        for number in range(input["events"]):
            await asyncio.sleep(max(0, began + number / rate - time.monotonic()) if rate else 0)
            text = PAD[: max(0, input["size"] - OVERHEAD)]
            await self.emit({"type": "event", "run": run, "seq": number, "ts": time.monotonic_ns(), "text": text})
        await self.emit({"type": "done", "run": run, "seq": -1})

    async def emit(self, event: dict[str, Any]) -> None:
        await self.channel_layer.group_send(self.group, {"type": "agent.event", "event": event})

    async def agent_event(self, message: dict[str, Any]) -> None:
        await self.send_json(message["event"])


class DirectConsumer(GroupConsumer):
    """The lower bound: no channel layer, only one tab."""

    async def emit(self, event: dict[str, Any]) -> None:
        await self.send_json(event)


class DurableConsumer(GroupConsumer):
    """The naive way to store events: one awaited INSERT each, then the group."""

    async def emit(self, event: dict[str, Any]) -> None:
        from benchmarks.channels_peer.models import Event

        await Event.objects.acreate(run=event["run"], seq=event["seq"], data=event)
        await super().emit(event)

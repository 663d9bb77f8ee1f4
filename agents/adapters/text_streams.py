"""Streams of text: one message or thought for every part of a model's response."""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Hashable
from typing import Any, cast

from netra.agents.authoring.context import AgentContext
from websocket_core.ids import new_id


class _Done:
    """An awaitable that is already done. It is cheaper than a coroutine, which matters for every token."""

    def __await__(self) -> Generator[Any, None, None]:
        return cast(Generator[Any, None, None], iter(()))


DONE = _Done()


class TextStreams:
    """Sends texts as streams, by the key that the framework uses for its parts."""

    def __init__(self, ctx: AgentContext) -> None:
        self._delta, self._joins, self._end = ctx.events.delta, ctx.events.joins, ctx.events.end_stream
        self._streams: dict[Hashable, tuple[str, str]] = {}  # key -> event type, stream

    async def start(self, event_type: str, key: Hashable, text: str | None) -> None:
        """Begin a part, with its first text. A key that is used again begins a new part."""
        await self.end(key)
        self._streams[key] = (event_type, new_id())
        if text:
            await self.append(key, text)

    def append(self, key: Hashable, text: str) -> Awaitable[None]:
        """Append text to a part that has begun. The result must be awaited."""
        event_type, stream = self._streams[key]
        return DONE if self._joins(event_type, stream, text) else self._delta(event_type, stream, text)

    def add(self, event_type: str, key: Hashable, text: str) -> Awaitable[None]:
        """Append text to a part, which begins if it has not begun yet."""
        if key in self._streams:
            return self.append(key, text)
        return self.start(event_type, key, text)

    async def end(self, key: Hashable) -> None:
        """End a part."""
        stream = self._streams.pop(key, None)
        if stream:
            await self._end(*stream)

    async def close(self) -> None:
        """End every part."""
        for key in list(self._streams):
            await self.end(key)

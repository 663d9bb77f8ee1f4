"""Streams of text: a message or a thought for every part of a model's response."""

from __future__ import annotations

from agents.adapters.shown import clean
from agents.context import AgentContext
from websocket_core.ids import new_id


class TextParts:
    """Sends the texts of a response's parts, by the index a part has in its response."""

    def __init__(self, ctx: AgentContext) -> None:
        self._delta = ctx.events.delta
        self._streams: dict[int, tuple[str, str]] = {}  # index -> event type, stream
        self._halves: dict[int, str] = {}  # index -> half a character that waits for its other half

    async def start(self, event_type: str, index: int, text: str | None) -> None:
        """A part begins, with its first text. One that begins again replaces what the index meant before."""
        await self.end(index)
        self._streams[index] = (event_type, new_id())
        if text:
            await self.append(index, text)

    async def append(self, index: int, text: str) -> None:
        """Text to append to a part."""
        if self._halves or not text.isascii():
            text = self._whole(index, text)
        event_type, stream = self._streams[index]
        await self._delta(event_type, stream, text)

    async def end(self, index: int) -> None:
        """A part is complete; half a character that was left has lost its other half."""
        half = self._halves.pop(index, None)
        stream = self._streams.pop(index, None)
        if half and stream:
            await self._delta(*stream, clean(half))

    def _whole(self, index: int, text: str) -> str:
        """A provider may cut a character in two between chunks (a surrogate pair): the first half waits."""
        text = self._halves.pop(index, "") + text
        if "\ud800" <= text[-1] <= "\udbff":
            self._halves[index] = text[-1]
            text = text[:-1]
        return clean(text)

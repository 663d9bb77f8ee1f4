"""The speed at which the demo shows its work: that of a person who watches."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from netra.agents.authoring.context import AgentContext
from netra.agents.authoring.steps import MessageStream
from netra.agents.conf import conf

_BITS = re.compile(r"\s*\S+\s*")
MAX_PACE = 5.0
_ANSWER_SECONDS = 3.0  # however long the answer is, this is how long it may take to appear
_ANSWER_PAUSE = 0.03


class Pace:
    """Pauses and streams, scaled.

    Args:
        factor: 1 is a comfortable pace, 2 twice as slow, 0 without any pause; not a number: the setting `DEMO_PACE`.
    """

    def __init__(self, factor: Any = None) -> None:
        usable = isinstance(factor, int | float) and not isinstance(factor, bool) and factor == factor
        self.factor = min(MAX_PACE, max(0.0, float(factor if usable else conf.DEMO_PACE)))

    async def pause(self, seconds: float) -> None:
        """Wait; at pace 0 only let others have a turn."""
        await asyncio.sleep(seconds * self.factor)

    async def think(self, ctx: AgentContext, text: str) -> None:
        """Think aloud, a few words at a time."""
        words = _BITS.findall(text)
        for start in range(0, len(words), 3):
            await ctx.think("".join(words[start : start + 3]))
            await self.pause(0.05)
        await ctx.think(" ")

    async def write(self, message: MessageStream, text: str) -> None:
        """Stream a piece of the answer; longer ones in larger bits."""
        bits = max(1, int(_ANSWER_SECONDS / _ANSWER_PAUSE))
        size = max(12, -(-len(text) // bits))
        for start in range(0, len(text), size):
            await message.append(text[start : start + size])
            await self.pause(_ANSWER_PAUSE)

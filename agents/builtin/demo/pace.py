"""The speed at which the demo works, so that a person can follow."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from netra.agents.authoring.context import AgentContext
from netra.agents.authoring.steps import MessageStream
from netra.agents.conf import conf

_BITS = re.compile(r"\s*\S+\s*")
MAX_PACE = 5.0
_ANSWER_SECONDS = 3.0  # longest time for an answer of any length to appear
_ANSWER_PAUSE = 0.03


class Pace:
    """Scaled pauses and streams.

    Args:
        factor: 1 is a comfortable pace, 2 is twice as slow, 0 has no pauses. If it is not a number, `DEMO_PACE` is
            used.
    """

    def __init__(self, factor: Any = None) -> None:
        usable = isinstance(factor, int | float) and not isinstance(factor, bool) and factor == factor
        self.factor = min(MAX_PACE, max(0.0, float(factor if usable else conf.DEMO_PACE)))

    async def pause(self, seconds: float) -> None:
        """Wait. At pace 0, only let other tasks run."""
        await asyncio.sleep(seconds * self.factor)

    async def think(self, ctx: AgentContext, text: str) -> None:
        """Send a thought, a few words at a time."""
        words = _BITS.findall(text)
        for start in range(0, len(words), 3):
            await ctx.think("".join(words[start : start + 3]))
            await self.pause(0.05)
        await ctx.think(" ")

    async def write(self, message: MessageStream, text: str) -> None:
        """Stream a piece of the answer. Longer pieces are sent in larger parts."""
        bits = max(1, int(_ANSWER_SECONDS / _ANSWER_PAUSE))
        size = max(12, -(-len(text) // bits))
        for start in range(0, len(text), size):
            await message.append(text[start : start + size])
            await self.pause(_ANSWER_PAUSE)

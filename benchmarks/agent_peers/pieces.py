"""The stream of every agent: pieces that can be counted in any output, joined or not."""

import asyncio
from collections.abc import AsyncIterator

MARK = "~"  # once in each piece, and nowhere else on the wire
SIZE = 40  # characters, about a line of JSON with a few words in it


async def pieces(count: int) -> AsyncIterator[str]:
    """`count` pieces, with a turn of the event loop before each, like a model that waits for its next chunk."""
    text = MARK.ljust(SIZE, "x")
    for _ in range(count):
        await asyncio.sleep(0)
        yield text

"""What every agent streams: pieces that can be counted wherever they come out, joined or not."""

import asyncio
from collections.abc import AsyncIterator

MARK = "~"  # once in each piece, and nowhere else on the wire
SIZE = 40  # characters, about a line of JSON with a few words in it


async def pieces(count: int) -> AsyncIterator[str]:
    """`count` pieces, and a turn of the event loop before each, as of a model that waits for its next chunk."""
    text = MARK.ljust(SIZE, "x")
    for _ in range(count):
        await asyncio.sleep(0)
        yield text

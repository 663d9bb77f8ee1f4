"""Where a connection's frames go: what a connection wants of it, and the way for any websocket that code brings."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol


class Transport(Protocol):
    """Where a connection's frames go."""

    def write(self, texts: Sequence[str]) -> bool | None:
        """Send these frames at once, where the transport can.

        Returns:
            Whether there is room for more; if not, `send` waits for it. `None`: it cannot, nothing was sent.
        """

    async def send(self, texts: Sequence[str]) -> None:
        """Send these frames, in order; returns when the transport can take more."""

    async def close(self, code: int) -> None:
        """Close with this code, after what was sent."""


class BareTransport:
    """Any websocket with an async `send(text)`."""

    def __init__(self, websocket: Any) -> None:
        self._websocket = websocket

    def write(self, texts: Sequence[str]) -> bool | None:
        """A bare websocket can only be awaited."""
        return None

    async def send(self, texts: Sequence[str]) -> None:
        """See `Transport`."""
        for text in texts:
            await self._websocket.send(text)

    async def close(self, code: int) -> None:
        """See `Transport`."""
        close = getattr(self._websocket, "close", None)
        result = close(code) if callable(close) else None
        if asyncio.iscoroutine(result):
            await result

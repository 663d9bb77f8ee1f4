"""Transports: what a connection needs to send frames, with implementations for bare websockets and for dialects."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Protocol

from websocket_core.errors import ConnectionClosedError
from websocket_core.wire.dialect import Translation

log = logging.getLogger(__name__)


class Transport(Protocol):
    """Sends a connection's frames."""

    def write(self, texts: Sequence[str]) -> bool | None:
        """Send these frames at once, if the transport can.

        Returns:
            Whether there is room for more; if not, `send` waits for it. `None`: it cannot, and nothing was sent.
        """

    async def send(self, texts: Sequence[str]) -> None:
        """Send these frames in order. Returns when the transport can accept more."""

    async def close(self, code: int) -> None:
        """Close with this code, after everything sent so far."""


class BareTransport:
    """Any websocket with an async `send(text)`."""

    def __init__(self, websocket: Any) -> None:
        self._websocket = websocket

    def write(self, texts: Sequence[str]) -> bool | None:
        """Do nothing: a bare websocket can only be awaited."""
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


class TranslatedTransport:
    """A transport for a client of another dialect. Frames are translated when they are sent, and so in their order.

    If a translation fails, the connection is closed. Its client then has a gap and reconnects.
    """

    def __init__(self, transport: Transport, translation: Translation) -> None:
        self._transport, self._translation = transport, translation
        self._waiting: tuple[Sequence[str], Sequence[str]] | None = None  # texts and frames that `write` did not send
        self._problem: Exception | None = None

    def write(self, texts: Sequence[str]) -> bool | None:
        """See `Transport`."""
        frames = self._translated(texts)
        if self._problem is not None:
            return None
        room = self._transport.write(frames) if frames else True
        if room is None:
            self._waiting = texts, frames
        return room

    async def send(self, texts: Sequence[str]) -> None:
        """See `Transport`.

        Raises:
            ConnectionClosedError: the translation failed, and the transport is closed.
        """
        waiting, self._waiting = self._waiting, None
        frames = waiting[1] if waiting is not None and waiting[0] is texts else self._translated(texts)
        if self._problem is not None:
            await self._transport.close(1011)
            raise ConnectionClosedError("its frames cannot be translated") from self._problem
        if frames or not texts:
            await self._transport.send(frames)

    async def close(self, code: int) -> None:
        """See `Transport`."""
        await self._transport.close(code)

    def _translated(self, texts: Sequence[str]) -> Sequence[str]:
        if self._problem is None:
            try:
                return self._translation.frames(texts)
            except Exception as problem:
                log.exception("frames cannot be translated for their client")
                self._problem = problem
        return ()

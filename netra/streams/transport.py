"""The transport of an event stream: frames and comments as parts of one HTTP response that is never completed.

A client takes the clean end of a response for success. So whatever ends a stream leaves its response incomplete, and
the server resets the connection.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from netra.server.limits import PACED
from netra.streams import cors
from netra.streams.request import Request, Send
from websocket_core.conf import conf
from websocket_core.errors import ConnectionClosedError

COMMENT: Final = b": netra\n\n"
SILENCE_SECONDS: Final = 4.0  # a comment follows this much silence; clients may count on 5 s
PIECE_BYTES: Final = 16 * 1024  # passed to a server at a time whose waiting cannot be watched

HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]


class StreamTransport:
    """A connection's `Transport` over one response.

    Args:
        request: the request that is answered.
        send: the application's `send`.

    Attributes:
        ended: the response is to be reset.
        stalled: nothing of it has drained for too long.
    """

    def __init__(self, request: Request, send: Send) -> None:
        self.ended = asyncio.Event()
        self.stalled = False
        self._request, self._send = request, send
        self._paced = PACED in (request.scope.get("extensions") or {})
        self._busy = False
        self._sent_at = 0.0

    async def start(self) -> None:
        """Send the headers and a first comment."""
        headers = [*HEADERS, *cors.of_answer(self._request)]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._pass_on(COMMENT)

    def write(self, texts: Sequence[str]) -> bool | None:
        """Do nothing: ASGI servers can only be awaited."""
        return None

    async def send(self, texts: Sequence[str]) -> None:
        """See `Transport`.

        Raises:
            ConnectionClosedError: the response accepts nothing any more.
        """
        if texts:
            await self._pass_on("".join(texts).encode())

    async def close(self, code: int) -> None:
        """See `Transport`. No close code can be sent."""
        self.ended.set()

    async def comment_on_silence(self) -> None:
        """Send a comment whenever nothing has been sent for some seconds. Never returns."""
        while True:
            left = self._sent_at + SILENCE_SECONDS - time.monotonic()
            if left > 0:
                await asyncio.sleep(left)
            elif self._busy:  # the client does not read: a comment would only be added to what waits
                await asyncio.sleep(SILENCE_SECONDS)
            else:
                await self._pass_on(COMMENT)

    async def _pass_on(self, body: bytes) -> None:
        self._busy = True
        try:
            if self._paced:
                await self._send({"type": "http.response.body", "body": body, "more_body": True})
            else:
                for start in range(0, len(body), PIECE_BYTES):
                    part = body[start : start + PIECE_BYTES]
                    async with asyncio.timeout(conf.STALL_SECONDS):
                        await self._send({"type": "http.response.body", "body": part, "more_body": True})
        except Exception as error:
            self.stalled = isinstance(error, TimeoutError)
            self.ended.set()
            raise ConnectionClosedError(f"the stream takes nothing any more: {type(error).__name__}") from error
        finally:
            self._busy = False
            self._sent_at = time.monotonic()

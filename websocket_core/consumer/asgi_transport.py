"""What a consumer sends to the server: answers of the handshake, frames, and the close."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from websocket_core.errors import ConnectionClosedError

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

EXTENSION = "netra.frames"  # extension of `manage.py serve`: several frames in one message, or without waiting


class AsgiTransport:
    """Sends frames to an ASGI server.

    It sends several at once if the server (`manage.py serve`) or the client (`netra.v1.batch`) supports that.

    Args:
        send: the application's `send`.
        extension: the server's `netra.frames`, if it has this extension.
        batch: whether the client accepts several frames as one JSON array.
    """

    __slots__ = ("_batch", "_many", "_send", "_write")

    def __init__(self, send: Send, extension: dict[str, Any] | None, *, batch: bool) -> None:
        self._send, self._many, self._batch = send, extension is not None, batch
        self._write: Callable[[Sequence[str]], bool] | None = (extension or {}).get("write")

    def write(self, texts: Sequence[str]) -> bool | None:
        """See `Transport`."""
        if self._write is None:
            return None
        return self._write((f"[{','.join(texts)}]",) if self._batch and len(texts) > 1 else texts)

    async def send(self, texts: Sequence[str]) -> None:
        """See `Transport`."""
        if self._batch and len(texts) > 1:
            await self._send({"type": "websocket.send", "text": f"[{','.join(texts)}]"})
        elif self._many:
            await self._send({"type": EXTENSION, "texts": texts})
        else:
            for text in texts:
                await self._send({"type": "websocket.send", "text": text})

    async def close(self, code: int) -> None:
        """See `Transport`."""
        await send_close(self._send, code)


async def send_close(send: Send, code: int) -> None:
    """Close with this code.

    A server that cannot send 1012 (plain `daphne`) gets 4408, which also tells the client to reconnect and resume.
    """
    try:
        await send({"type": "websocket.close", "code": code})
    except Exception:
        if code != 1012:
            raise
        await send({"type": "websocket.close", "code": 4408})


async def answer(send: Send, message: dict[str, Any]) -> None:
    """Send a part of the handshake.

    Raises:
        ConnectionClosedError: the server raised: the client has gone, or the server itself has rejected the handshake
            in the meantime.
    """
    try:
        await send(message)
    except Exception as error:
        raise ConnectionClosedError(f"{type(error).__name__}: {error}") from error


async def refuse(receive: Receive, send: Send, subprotocol: str | None, last_words: Sequence[str], code: int) -> None:
    """Accept, give the reason in a last frame, and close, so that a browser can tell it from a network error.

    Raises:
        ConnectionClosedError: the client has already gone.
    """
    await answer(send, {"type": "websocket.accept", "subprotocol": subprotocol})
    for text in last_words:
        await answer(send, {"type": "websocket.send", "text": text})
    try:
        await send_close(send, code)
    except Exception as error:
        raise ConnectionClosedError(f"{type(error).__name__}: {error}") from error
    while (await receive())["type"] != "websocket.disconnect":
        pass

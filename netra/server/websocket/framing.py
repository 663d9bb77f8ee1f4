"""Text → the bytes of WebSocket text frames, as a server sends them (RFC 6455: one frame, final, unmasked).

A frame for many sockets is encoded once and sent to each as `{"type": "netra.frames", "payload": frames}`, if the
server offers that ASGI extension (`scope["extensions"]["netra.frames"]`).
"""

from __future__ import annotations

from collections.abc import Iterable

EXTENSION = "netra.frames"  # the ASGI extension, and the type of its message

_FINAL_TEXT = 0x81
_FINAL_BINARY = 0x82


def server_frame(text: str) -> bytes:
    """Return one text frame.

    Raises:
        UnicodeEncodeError: the text contains a lone surrogate, which a WebSocket cannot transmit.
    """
    data = text.encode()
    return _header(_FINAL_TEXT, len(data)) + data


def server_frames(texts: Iterable[str]) -> bytes:
    """Return each text as a separate frame, one after another.

    Raises:
        UnicodeEncodeError: a text contains a lone surrogate, which a WebSocket cannot transmit.
    """
    pieces: list[bytes] = []
    for text in texts:
        data = text.encode()
        pieces.append(_header(_FINAL_TEXT, len(data)))
        pieces.append(data)
    return b"".join(pieces)


def server_binary_frame(data: bytes) -> bytes:
    """Return one binary frame."""
    return _header(_FINAL_BINARY, len(data)) + data


def _header(first: int, length: int) -> bytes:
    if length < 126:
        return bytes((first, length))
    if length < 0x10000:
        return bytes((first, 126, length >> 8, length & 0xFF))
    return bytes((first, 127)) + length.to_bytes(8, "big")

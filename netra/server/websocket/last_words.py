"""Close codes and reasons that may be sent."""

from __future__ import annotations

from netra.server.websocket.framing import server_frame
from websocket_core.wire import Closing

SENDABLE = {1000, 1001, 1003, *range(1007, 1015), *range(3000, 5000)}  # close codes that may be on the wire
REASON_BYTES = 123  # a close frame holds 125 bytes (RFC 6455), two of them for the code


def error_frame(closing: Closing) -> bytes:
    """The frame before the close frame, which says why."""
    return server_frame(closing.frame())


def close_reason(reason: str) -> bytes:
    """Return as much of a close reason as fits into a close frame, without half a character at its end."""
    return reason.encode()[:REASON_BYTES].decode(errors="ignore").encode()

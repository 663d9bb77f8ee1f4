"""What a closing WebSocket may and does say to its client."""

from __future__ import annotations

import json

from netra.server.websocket.framing import server_frame

SENDABLE = {1000, 1001, 1003, *range(1007, 1015), *range(3000, 5000)}  # close codes that may be on the wire
REASON_BYTES = 123  # a close frame holds 125 (RFC 6455), two of them the code


def _error(code: str, message: str, **fields: int) -> bytes:
    return server_frame(json.dumps({"event_type": "error", "code": code, "message": message, **fields}))


TOO_SLOW = _error("too_slow", "This client took nothing for too long. Connect again, and resume.")
FLOODING = _error("flooding", "Too many pings, pongs or fragments of messages. Come back later.", retry_after_ms=5000)


def close_reason(reason: str) -> bytes:
    """Return as much of a close reason as a close frame holds, without half a character at its end."""
    return reason.encode()[:REASON_BYTES].decode(errors="ignore").encode()

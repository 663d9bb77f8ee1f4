"""Control frames in Netra's own protocol: flat JSON objects with `event_type`, without `seq` and `data`.

See wire-protocol.md, "Server → client: control frames". A connection receives them in this form, whatever its client
speaks. Its dialect translates them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from websocket_core.errors import WebSocketCoreError
from websocket_core.wire import encoding, events


def control(event_type: str, *, request_id: str | None = None, **fields: Any) -> str:
    """The text of a control frame.

    Raises:
        UnserialisableError: a field has no JSON form.
    """
    message: dict[str, Any] = {"event_type": event_type, **fields}
    if request_id is not None:
        message["request_id"] = request_id
    return encoding.encode(message)


def error(code: str, message: str, **fields: Any) -> str:
    """The text of an `error` frame. Fields that are `None` are left out."""
    known = {name: value for name, value in fields.items() if value is not None}
    return encoding.encode({"event_type": "error", "code": code, "message": message, **known})


def error_of(problem: WebSocketCoreError, request_id: str | None = None) -> str:
    """The `error` frame for a problem. If the problem has its own `request_id`, that one is used."""
    return error(problem.code, str(problem), **{"request_id": request_id, **problem.wire_fields})


def moment(value: datetime | None) -> str | None:
    """A timestamp of the wire protocol, or `None`."""
    return None if value is None else events.timestamp(value)

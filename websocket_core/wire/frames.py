"""Control frames.

Flat JSON objects with `event_type`, without `seq` and `data` (wire protocol, "Server → client: control frames").
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from websocket_core.errors import WebSocketCoreError
from websocket_core.ids import new_id
from websocket_core.process import metrics
from websocket_core.wire import encoding, events

log = logging.getLogger(__name__)


def control(event_type: str, *, request_id: str | None = None, **fields: Any) -> str:
    """The text of a control frame."""
    message: dict[str, Any] = {"event_type": event_type, **fields}
    if request_id is not None:
        message["request_id"] = request_id
    return encoding.encode(message)


def error(code: str, message: str, **fields: Any) -> str:
    """The text of an `error` frame; fields that are `None` are left out."""
    metrics.errors_sent.labels(code).inc()
    return encoding.encode(
        {"event_type": "error", "code": code, "message": message, **{k: v for k, v in fields.items() if v is not None}}
    )


def error_of(problem: WebSocketCoreError, request_id: str | None = None) -> str:
    """The `error` frame that tells a client of a problem it caused."""
    return error(problem.code, str(problem), **{"request_id": request_id, **problem.wire_fields})


def internal_error(problem: BaseException, request_id: str | None = None) -> str:
    """The `error` frame for what a client cannot cause.

    Nothing of the exception but an incident id, under which the log has it all.
    """
    incident = new_id()
    log.error("incident %s", incident, exc_info=problem)
    return error(
        "internal",
        "Something went wrong on our side. Try again; if it stays, report the incident id.",
        incident=incident,
        request_id=request_id,
    )


def moment(value: datetime | None) -> str | None:
    """A wire timestamp, or `None`."""
    return None if value is None else events.timestamp(value)

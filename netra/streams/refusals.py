"""Refusals before a stream opens: problem documents, as the clients of event streams can read them.

They are sent as `application/json`, because AG-UI's client parses nothing else, and `message` repeats `detail`, because
LangGraph's shows it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from netra.problem_document import headers_of, problem
from netra.streams import cors
from netra.streams.request import Request, Send
from websocket_core.database import db
from websocket_core.errors import (
    ClientError,
    Internal,
    JournalUnavailable,
    OriginRefused,
    Unauthenticated,
)
from websocket_core.ids import new_id
from websocket_core.wire import Closing, encoding
from websocket_core.wire.close_codes import ERRORS

log = logging.getLogger(__name__)

STATUS: Final[dict[str, int]] = {code: row.status for code, row in ERRORS.items()} | {
    "unknown_agent": 404,  # here an agent is part of an address
    "too_many_connections": 429,
    "method_not_allowed": 405,
    "not_supported": 501,
}


class Refused(Exception):
    """The request is not answered with what it asked for.

    Args:
        code: one of `STATUS`.
        headers: of the answer, in addition to those of its status.
    """

    def __init__(self, code: str, message: str, headers: Mapping[str, str] | None = None, **fields: Any) -> None:
        super().__init__(message)
        self.code, self.headers, self.fields = code, dict(headers or {}), fields


def of_closing(closing: Closing) -> Refused:
    """What refuses a connection before its stream opens."""
    return Refused(closing.error_code, closing.text, retry_after_ms=closing.retry_after_ms)


async def send_refusal(request: Request, send: Send, error: Exception) -> None:
    """Answer with a problem document."""
    status, code, fields, extra = _described(request, error)
    message = str(Internal()) if code == Internal.code else str(error)
    body = encoding.encode({**problem(status, code, message, fields), "message": message}).encode()
    headers = headers_of(status, fields) | extra
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"cache-control", b"no-store"),
                (b"x-content-type-options", b"nosniff"),
                *((name.lower().encode(), value.encode()) for name, value in headers.items()),
                *cors.of_answer(request),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


def _described(request: Request, error: Exception) -> tuple[int, str, dict[str, Any], dict[str, str]]:
    """Status, code, fields and additional headers of the answer."""
    match error:
        case Refused():
            return STATUS[error.code], error.code, error.fields, error.headers
        case OriginRefused():
            return 403, "csrf_failed", {}, {}
        case Unauthenticated() if error.undecided:  # 401 would end clients whose credentials are good
            return 503, JournalUnavailable.code, error.wire_fields, {}
        case ClientError():
            fields = error.wire_fields
            status = STATUS.get(error.code, 400)
            return status, error.code, {"retry_after_ms": 2000} | fields if status == 503 else fields, {}
    if isinstance(error, db.OUTAGE):
        return 503, JournalUnavailable.code, {"retry_after_ms": 2000}, {}
    incident = new_id()
    log.error("incident %s: %s", incident, request.scope["path"], exc_info=error)
    return 500, Internal.code, {"incident": incident}, {}

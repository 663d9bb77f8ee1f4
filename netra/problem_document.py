"""The body of an error over HTTP: a problem document (RFC 9457) with the wire's own codes."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any


def problem(status: int, code: str, message: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A problem document. Fields that are `None` are left out."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": message, "code": code}
    return body | {name: value for name, value in fields.items() if value is not None}


def headers_of(status: int, fields: Mapping[str, Any]) -> dict[str, str]:
    """The headers that belong to it: when to come back, and how to log in."""
    headers: dict[str, str] = {}
    if isinstance(retry := fields.get("retry_after_ms"), int):
        headers["Retry-After"] = str(max(1, -(-retry // 1000)))
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return headers

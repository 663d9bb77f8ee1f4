"""The head of an HTTP request, as this room reads it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from django.http import QueryDict

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Request:
    """One request.

    Args:
        scope: of the request, as ASGI describes it.
    """

    __slots__ = ("headers", "method", "scope")

    def __init__(self, scope: dict[str, Any]) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.headers: dict[str, str] = {}
        """By lower-case name. Values of a repeated header are joined by commas."""
        for raw_name, raw_value in scope["headers"]:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            self.headers[name] = f"{self.headers[name]},{value}" if name in self.headers else value

    @property
    def query(self) -> QueryDict:
        """The parameters of the address."""
        return QueryDict(self.scope.get("query_string", b""))

    @property
    def wants_stream(self) -> bool:
        """Whether `Accept` names `text/event-stream` itself; `*/*` does not."""
        for entry in self.headers.get("accept", "").lower().split(","):
            media_type, *parameters = (part.strip() for part in entry.split(";"))
            if media_type == "text/event-stream":
                return not any(each.removeprefix("q=").strip("0.") == "" for each in parameters if each[:2] == "q=")
        return False

    @property
    def is_preflight(self) -> bool:
        """Whether a browser asks if a page of another site may send a request."""
        return self.method == "OPTIONS" and "access-control-request-method" in self.headers

"""One connection while it speaks HTTP, with limits on the time of headers and body, and on the size of the headers."""

from __future__ import annotations

import json
import logging
import time
from http import HTTPStatus
from typing import Any

from twisted.web import http

from netra.logs.seldom_log import SeldomLog
from netra.server.ports import ServerSide

log = SeldomLog(logging.getLogger(__name__))

# Private or undocumented names of Twisted that this module uses; a test fails when one of them is gone.
PRIVATE = [
    *("allContentReceived", "allHeadersReceived", "lineLengthExceeded", "lineReceived", "rawDataReceived"),
    *("requestDone", "totalHeadersSize", "maxHeaders", "_receivedHeaderCount", "_receivedHeaderSize"),
]
PRIVATE_OF_INSTANCES = ["_dataBuffer", "_handlingRequest"]


class HTTPChannel(http.HTTPChannel):
    """A connection that has not become a WebSocket (yet)."""

    server: ServerSide
    transport: Any

    _head_since: float | None = None  # waiting for the headers of a request, or of the first one
    _body_since: float | None = None
    _body_bytes = 0
    _refused = False

    @property
    def path(self) -> bytes:
        """Route a request whose headers have arrived."""
        path: bytes = getattr(self, "_path", b"")
        return path

    @property
    def expendable(self) -> bool:
        """Whether no complete request is being answered."""
        return not self._handlingRequest

    def connectionMade(self) -> None:  # noqa: N802
        """The connection begins."""
        super().connectionMade()  # type: ignore[no-untyped-call]
        self.factory.sockets[self.transport] = self
        self._head_since = time.monotonic()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """Bytes came in."""
        if self._refused:
            return
        if self._head_since is None and self._body_since is None and not self._handlingRequest:
            self._head_since = time.monotonic()
        super().dataReceived(data)  # type: ignore[no-untyped-call]

    def lineReceived(self, line: bytes) -> None:  # noqa: N802
        """A line of a head."""
        if self._refused:
            return
        if self._receivedHeaderSize + len(line) > self.totalHeadersSize or self._receivedHeaderCount >= self.maxHeaders:
            self._refuse_head()
        else:
            super().lineReceived(line)  # type: ignore[no-untyped-call]

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: N802
        """A header line is longer than the limit for all headers."""
        self._refuse_head()

    def _refuse_head(self) -> None:
        log.warning(
            "Refused a request of %s with headers larger than %d bytes (431). Too many cookies for this domain do that",
            self._peer,
            self.totalHeadersSize,
        )
        self.refuse(431, f"The headers may have {self.totalHeadersSize:,} bytes. Delete cookies of this domain.")

    def allHeadersReceived(self) -> None:  # noqa: N802
        """The headers are complete."""
        self._head_since = None
        self._body_since, self._body_bytes = time.monotonic(), 0
        super().allHeadersReceived()  # type: ignore[no-untyped-call]

    def rawDataReceived(self, data: bytes) -> None:  # noqa: N802
        """A part of a body, or of the next request."""
        self._body_bytes += len(data)
        super().rawDataReceived(data)

    def allContentReceived(self) -> None:  # noqa: N802
        """The request is complete."""
        self._body_since = None
        super().allContentReceived()  # type: ignore[no-untyped-call]

    def requestDone(self, request: Any) -> None:  # noqa: N802
        """The request is answered."""
        waits = bool(self._dataBuffer)
        super().requestDone(request)  # type: ignore[no-untyped-call]
        if waits and self._head_since is None and self._body_since is None and not self._handlingRequest:
            self._head_since = time.monotonic()

    def check_timeouts(self, now: float) -> None:
        """Check the time limits. Called every `Limits.tick`."""
        limits = self.server.limits
        if self._refused:
            return
        if self._head_since is not None and now - self._head_since > limits.head:
            log.warning("Refused a connection from %s that sent no complete request in %g s", self._peer, limits.head)
            self.refuse(408, f"The headers of a request must arrive within {limits.head:g} seconds.")
        elif self._body_since is not None:
            beyond = now - self._body_since - limits.head
            if beyond > 0 and self._body_bytes < beyond * limits.body_rate:
                log.warning("Refused a request from %s whose body arrived too slowly", self._peer)
                self.refuse(408, f"A body must arrive at {limits.body_rate} bytes a second or faster.")

    @property
    def _peer(self) -> str:
        return getattr(self.transport.getPeer(), "host", "a Unix socket")

    def refuse(self, status: int, detail: str = "") -> None:
        """Answer with a problem document with this text, and discard further data."""
        if self._refused:
            return
        self._refused = True
        phrase = {413: "Content Too Large"}.get(status) or HTTPStatus(status).phrase
        code = {413: "too_large"}.get(status, "bad_request")
        fields = {"type": "about:blank", "title": phrase, "status": status, "detail": detail, "code": code}
        body = json.dumps(fields) if detail else ""
        self.transport.write(
            (
                f"HTTP/1.1 {status} {phrase}\r\nContent-Type: application/problem+json\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
            ).encode()
        )
        # Not closed at once: with client data still arriving, it would be reset before the client reads this.
        self.server.loop.call_later(self.server.limits.cut, self.loseConnection)

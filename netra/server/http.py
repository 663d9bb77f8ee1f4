"""One HTTP request: Daphne's, with a bound on its body and an answer whatever the application does."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from daphne.http_protocol import HTTPFactory as DaphneHTTPFactory
from daphne.http_protocol import WebRequest as DaphneWebRequest

if TYPE_CHECKING:
    from netra.server.asgi_server import NetraServer

log = logging.getLogger(__name__)

# Private or undocumented names of Daphne and Twisted that this module uses; a test fails when one of them is gone.
PRIVATE = ["basic_error", "gotLength", "handleContentChunk", "handle_reply", "process", "requestReceived"]


class WebRequest(DaphneWebRequest):
    """One HTTP request, or the beginning of a WebSocket."""

    server: NetraServer
    _body = 0
    _refused = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Twisted would parse forms, which is the application's work.
        super().__init__(*args, **{**kwargs, "parsePOSTFormSubmission": False})

    def gotLength(self, length: int | None) -> None:  # noqa: N802
        """The headers are there; `length` is what they say of the body."""
        super().gotLength(length)
        if length is not None and length > self.server.limits.request_body:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802
        """A part of the body."""
        self._body += len(data)
        if self._body > self.server.limits.request_body:
            self._refuse()
        if not self._refused:
            super().handleContentChunk(data)

    def _refuse(self) -> None:
        """Answer 413, and throw away what else comes. Daphne would hold the body in memory, whatever its size."""
        if self._refused:
            return
        self._refused = True
        self.requestHeaders.removeHeader(b"Expect")  # no "100 Continue" after this
        self.channel.transport.write(
            b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        # Closed at once, with data of the client still on its way, the connection would be reset before it reads this.
        self.server.loop.call_later(self.server.limits.cut, self.channel.loseConnection)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:  # noqa: N802
        """The request is whole."""
        if self._refused:
            self.channel.loseConnection()
        else:
            super().requestReceived(command, path, version)

    def process(self) -> Any:
        """Hand the request to the application."""
        # Daphne takes the application's mount point from this header, which any client can send.
        self.requestHeaders.removeHeader(b"Daphne-Root-Path")
        return super().process()

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Send a part of the application's answer."""
        if self.server.draining and message["type"] == "http.response.start" and self.channel is not None:
            # A load balancer keeps connections open and would go on using this one.
            self.channel.persistent = False
            self.setHeader(b"Connection", b"close")
        super().handle_reply(message)

    def application_ended(self, error: BaseException | None) -> None:
        """The application is over, and the response is not."""
        if self.finished or self.channel is None:
            return
        if self._response_started:
            self.channel.transport.abortConnection()  # what was sent must not look whole
        else:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            self.basic_error(status.value, status.phrase.encode(), "The application gave no answer.")


class HTTPFactory(DaphneHTTPFactory):
    """Makes the HTTP side of accepted connections."""

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802
        """Return the protocol of one connection."""
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = WebRequest
        return protocol

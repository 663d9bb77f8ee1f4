"""One HTTP request: Daphne's, with a limit on its body and an answer whatever the application does."""

from __future__ import annotations

import logging
import time
from http import HTTPStatus
from typing import Any

from daphne.http_protocol import HTTPFactory as DaphneHTTPFactory
from daphne.http_protocol import WebRequest as DaphneWebRequest

from netra.logs.seldom_log import SeldomLog
from netra.server.http.channel import HTTPChannel
from netra.server.http.forwarded_headers import drop_unreadable
from netra.server.ports import ServerSide

log = logging.getLogger(__name__)
log_seldom = SeldomLog(log)

# Private or undocumented names of Daphne and Twisted that this module uses; a test fails when one of them is gone.
PRIVATE = ["basic_error", "gotLength", "handleContentChunk", "handle_reply", "process", "requestReceived"]


class WebRequest(DaphneWebRequest):
    """One HTTP request, or the beginning of a WebSocket."""

    server: ServerSide
    _body = _limit = 0
    _hint = ""
    _refused = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Twisted would parse forms, which is the application's work.
        super().__init__(*args, **{**kwargs, "parsePOSTFormSubmission": False})

    def gotLength(self, length: int | None) -> None:  # noqa: N802
        """The headers have arrived; `length` is the announced size of the body."""
        super().gotLength(length)
        limits, limit_of = self.server.limits, self.server.body_limit
        own = limit_of(self.channel.path.partition(b"?")[0].decode("latin-1")) if limit_of is not None else None
        self._limit = limits.request_body if own is None else min(own, limits.request_body)
        self._hint = "" if own is None else f"A body may have {self._limit:,} bytes here."
        if length is not None and length > self._limit:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802
        """A part of the body."""
        self._body += len(data)
        if self._body > self._limit:
            self._refuse()
        if not self._refused:
            super().handleContentChunk(data)

    def _refuse(self) -> None:
        """Answer 413, and discard further data. Daphne would keep the body in memory, whatever its size."""
        if not self._refused:
            self._refused = True
            self.requestHeaders.removeHeader(b"Expect")  # no "100 Continue" after this
            self.channel.refuse(413, self._hint)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:  # noqa: N802
        """The request is complete."""
        if self._refused:
            self.channel.loseConnection()
        else:
            super().requestReceived(command, path, version)

    def process(self) -> Any:
        """Hand the request to the application."""
        drop_unreadable(self.requestHeaders, root_path=self.server.root_path_header)
        return super().process()

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Send a part of the application's answer."""
        if self.server.draining and message["type"] == "http.response.start" and self.channel is not None:
            # A load balancer keeps connections open and would continue to use this one.
            self.channel.persistent = False
            self.setHeader(b"Connection", b"close")
        if message["type"] == "http.response.start" and "status" not in message:
            # Daphne would regard the response as started, and could then only cut the connection.
            raise ValueError("Specifying a status code is required for a Response message.")
        super().handle_reply(message)

    def application_ended(self, error: BaseException | None) -> None:
        """The application has ended, but the response is not complete."""
        if self.finished or self.channel is None:
            return
        if self._response_started:
            self.channel.transport.abortConnection()  # the partial response must not look complete
        else:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            self.basic_error(status.value, status.phrase.encode(), "The application gave no answer.")


class HTTPFactory(DaphneHTTPFactory):
    """Creates the HTTP side of accepted connections, and knows all open ones."""

    protocol = HTTPChannel  # Twisted's own chooses between HTTP/1 and 2, which TLS would negotiate

    def __init__(self, server: ServerSide) -> None:
        super().__init__(server)
        self.sockets: dict[Any, HTTPChannel | None] = {}
        """The open connections by their transports, in order of arrival; `None`: it is a WebSocket."""

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802
        """Return the protocol of one connection; `None`: there is no room, and it is closed at once."""
        if len(self.sockets) >= self.server.limits.connections and not self._make_room():
            log_seldom.warning(
                "Closed a new connection: %d are open, the most that the limit on open files allows (ulimit -n)",
                len(self.sockets),
            )
            return None
        protocol = super().buildProtocol(addr)
        protocol.requestFactory, protocol.server = WebRequest, self.server
        return protocol

    def closed(self, transport: Any) -> None:
        """A connection is gone."""
        self.sockets.pop(transport, None)

    def check_timeouts(self) -> None:
        """Check the connections without a complete request. Called every `Limits.tick`."""
        now = time.monotonic()
        for channel in [channel for channel in self.sockets.values() if channel is not None]:
            channel.check_timeouts(now)

    def _make_room(self) -> bool:
        """Cut the oldest connection without a complete request."""
        for transport, channel in self.sockets.items():
            if channel is not None and channel.expendable:
                log_seldom.warning(
                    "Cut connections without a request to accept others: %d are open, the most that the limit on open "
                    "files allows (ulimit -n)",
                    len(self.sockets),
                )
                self.closed(transport)
                transport.abortConnection()
                return True
        return False

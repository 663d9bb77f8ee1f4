"""A limit for the total time of a fetch.

A timeout for single reads does not help if an answer arrives one byte at a time. A `Deadline` therefore shuts the
connection when the total time is over, even in the TLS handshake, between two headers or in the body.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self


class Deadline:
    """The deadline of a fetch. When it passes, every connection opened through it is shut."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds
        self._timer = threading.Timer(seconds, self._shut)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._timer.cancel()
        with self._lock:
            for watched in self._sockets:
                watched.close()
            self._sockets.clear()

    @property
    def over(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() >= self._end

    def left(self) -> float:
        """Seconds until the deadline.

        Raises:
            TimeoutError: it has passed.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"longer than {self.seconds:g} s")
        return left

    def connect(self, host: str, port: int) -> socket.socket:
        """Connect to the first address of `host` that accepts the connection.

        Raises:
            OSError: no address accepts it in time.
        """
        failure = OSError(f"{host} has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(self.left())
                connection.connect(address)
                self._watch(connection)
            except OSError as error:
                connection.close()
                failure = error
            else:
                return connection
        raise failure

    def _watch(self, connection: socket.socket) -> None:
        # A second handle of the same connection, because TLS detaches the first one from its socket.
        with self._lock:
            self._sockets.append(connection.dup())
        if self.over:
            self._shut()

    def _shut(self) -> None:
        with self._lock:
            for watched in self._sockets:
                with suppress(OSError):
                    watched.shutdown(socket.SHUT_RDWR)
                watched.close()
            self._sockets.clear()

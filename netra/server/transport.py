"""Twisted's server transports, extended for back-pressure: how much is waiting, whether it moves, and waiting for room.

All private fields of Twisted that this module uses are listed in `PRIVATE`; a test fails if one of them disappears.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.abstract import FileDescriptor
from twisted.internet.asyncioreactor import AsyncioSelectorReactor

# (class, names that this module uses although they are not Twisted's public interface)
PRIVATE: list[tuple[type, tuple[str, ...]]] = [
    (
        FileDescriptor,
        ("dataBuffer", "offset", "doWrite", "startWriting", "stopWriting", "writeSomeData", "_writeDisconnected"),
    ),
    (AsyncioSelectorReactor, ("_readOrWrite", "_reschedule")),
    (tcp.Port, ("_fromListeningDescriptor", "_preexistingSocket")),
    (unix.Port, ("_fromListeningDescriptor", "_shouldShutdown")),
]
PRIVATE_OF_INSTANCES = {
    FileDescriptor: ("_tempDataLen",),
    AsyncioSelectorReactor: ("_asyncioEventloop", "_writers", "_scheduledAt", "_timerHandle"),
    unix.Port: ("_bindPath",),
}


class PromptTransport:
    """A mixin in front of a Twisted stream transport.

    It writes at once (`write_now`), or at the end of the loop's turn, instead of asking the reactor to poll for
    writability first: sockets nearly always accept data at once, and changing the poll set twice per write costs more
    than the write itself.
    """

    moved = 0
    """Bytes that the kernel has accepted so far."""

    _flush_due = False
    _released = False
    _waiters: list[tuple[int, asyncio.Future[None]]] | None = None

    # Twisted's
    connected: int
    dataBuffer: bytes  # noqa: N815
    offset: int
    reactor: Any
    server: Any  # the port
    _tempDataLen: int  # noqa: N815
    _writeDisconnected: bool  # noqa: N815
    TLS: bool
    write: Callable[[bytes], None]

    @property
    def pending(self) -> int:
        """Bytes that the kernel has not accepted yet."""
        return len(self.dataBuffer) - self.offset + self._tempDataLen

    def write_now(self, data: bytes) -> bool:
        """Write without waiting for the end of the loop's turn, if nothing else is pending.

        Returns:
            Whether the kernel has accepted all of it; if not, the rest is pending, as after `write`.
        """
        if self.connected and not (self.pending or self.TLS or self._writeDisconnected):
            written = self.writeSomeData(data)
            if written == len(data):
                return True
            if type(written) is int:
                data = data[written:]
            # Any other result is an error: the write at the turn's end fails too, and ends the connection properly.
        self.write(data)
        return False

    async def drained(self, low_water: int) -> None:
        """Wait until at most `low_water` bytes are pending, or the connection is closed or given up."""
        while self.pending > low_water and self.connected and not self._released:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            if self._waiters is None:
                self._waiters = []
            entry = (low_water, waiter)
            self._waiters.append(entry)
            try:
                await waiter
            finally:
                if self._waiters and entry in self._waiters:
                    self._waiters.remove(entry)

    def release(self) -> None:
        """Give the connection up: release all current and future waiters of `drained`."""
        self._released = True
        self._wake()

    # --- Twisted's methods

    def startWriting(self) -> None:  # noqa: N802
        """Data is pending: write it at the end of this turn of the loop."""
        if self._flush_due or self in self.reactor._writers:
            return
        self._flush_due = True
        self.reactor._asyncioEventloop.call_soon(self._flush)

    def stopWriting(self) -> None:  # noqa: N802
        """No data is pending any more. Usually the reactor was never involved."""
        if self in self.reactor._writers:
            super().stopWriting()  # type: ignore[misc]

    def _flush(self) -> None:
        self._flush_due = False
        if not self.connected:
            return
        self.reactor._readOrWrite(self, False)
        if self.connected and self.pending:
            super().startWriting()  # type: ignore[misc]  # the rest, when the socket is writable

    def doWrite(self) -> Any:  # noqa: N802
        """Write as much as the kernel accepts, and wake the waiters."""
        result = super().doWrite()  # type: ignore[misc]
        if self._waiters:
            self._wake()
        return result

    def writeSomeData(self, data: bytes) -> Any:  # noqa: N802
        """Write, and count."""
        written = super().writeSomeData(data)  # type: ignore[misc]
        if type(written) is int and written > 0:
            self.moved += written
        return written

    def connectionLost(self, reason: Any) -> None:  # noqa: N802
        """Nobody needs to wait any longer."""
        super().connectionLost(reason)  # type: ignore[misc]
        self.server.factory.closed(self)
        self._wake()

    def _wake(self) -> None:
        pending = self.pending if self.connected and not self._released else 0
        for low_water, waiter in self._waiters or ():
            if pending <= low_water and not waiter.done():
                waiter.set_result(None)


class TcpTransport(PromptTransport, tcp.Server):
    """One TCP connection."""


class UnixTransport(PromptTransport, unix.Server):
    """One connection over a Unix socket."""


class TcpPort(tcp.Port):
    """A listening TCP socket."""

    transport = TcpTransport


class UnixPort(unix.Port):
    """A listening Unix socket."""

    transport = UnixTransport


def start_listening(reactor: Any, listener: socket.socket, factory: Any, backlog: int) -> Any:
    """Accept connections on a bound socket, which now belongs to the returned port.

    Returns:
        The Twisted port; it has `stopListening()`.
    """
    listener.setblocking(False)
    port: Any
    if listener.family == socket.AF_UNIX:
        port = UnixPort._fromListeningDescriptor(reactor, listener.fileno(), factory)  # type: ignore[no-untyped-call]
        port.backlog = backlog
        # Twisted would make a socket file writable for everyone, and remove it at the end; but the file is not its own.
        port._bindPath = b"\0"
        # Nor may it shut the socket down: that would also end it for the parent process, which passed it on.
        port._shouldShutdown = False
    else:
        listener.listen(backlog)
        port = TcpPort._fromListeningDescriptor(  # type: ignore[no-untyped-call]
            reactor, listener.fileno(), listener.family, factory
        )
    listener.close()  # Twisted has its own duplicate
    port.startListening()
    return port

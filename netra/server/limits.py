"""Limits on the cost of one connection, and on times."""

from __future__ import annotations

import resource
from dataclasses import dataclass, field
from typing import Self

from websocket_core.conf import conf

KIB = 1024
PACED = "netra.paced"
"""Extension of the server for applications: it resets a response of which nothing drains for `Limits.stall`."""


def _connections() -> int:
    """Return how many sockets the limit on open files allows, leaving room for databases, logs and other files."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return 1_000_000
    return max(16, files - max(64, files // 10))


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of the server. Sizes are bytes, times are seconds."""

    # --- outbound, per socket
    high_water: int = 1024 * KIB
    """More than this in the transport, and `send` waits."""
    low_water: int = 256 * KIB
    """`send` continues when no more than this is left."""
    stall: float = 20.0
    """A socket that accepts nothing for this long is closed with 4408."""
    cut: float = 5.0
    """How long the client has to answer a close frame; then the TCP connection is cut."""

    # --- inbound, per socket
    unread_messages: int = 64
    """With more messages than this unread by the application, the server stops reading from the socket."""
    unread_bytes: int = 256 * KIB
    """The same in bytes."""
    message: int = 1024 * KIB
    """A larger WebSocket message is refused with 1009."""
    fragments: int = 2000
    """How many frames that are not a complete message may arrive at once (a ping or pong counts as ten); above that,
    the socket is closed with 4429."""
    fragments_per_second: float = 500.0
    """The sustained rate of such frames, a second."""
    slice: float = 0.002
    """How long the frames of one socket are read before others have their turn."""
    request_body: int = 4096 * KIB
    """A larger body of an HTTP request is refused with 413."""

    # --- all sockets
    connections: int = field(default_factory=_connections)
    """How many may be open at once; to accept another, the oldest without a complete request is cut."""

    # --- times
    head: float = 20.0
    """How long the headers of a request may take, from their first byte or the beginning of the connection; after that
    the request is refused with 408."""
    body_rate: int = 1024
    """The minimum bytes a second of a body, from `head` seconds after its beginning; otherwise refused with 408."""
    ping: float = 20.0
    """Interval of pings on every WebSocket."""
    silence: float = 50.0
    """A WebSocket that sends nothing for this long, not even a pong, is cut."""
    handshake: float = 20.0
    """How long the application may take to accept a WebSocket; after that it is refused with 503."""
    close_application: float = 10.0
    """How long an application may continue after its connection is gone; after that it is cancelled."""
    tick: float = 1.0
    """How often the times above are checked."""

    # --- the end
    drain: float = 20.0
    """The longest time of draining (`NETRA_DRAIN_SECONDS` for the runs, and ten more for the rest)."""
    grace: float = 6.0
    """How long the server then waits for the applications before it cancels them."""

    @classmethod
    def from_settings(cls) -> Self:
        """Return the limits according to Django's settings."""
        return cls(
            stall=conf.STALL_SECONDS,
            cut=conf.STALL_CUT_SECONDS,
            ping=conf.PING_SECONDS,
            silence=conf.SILENCE_SECONDS,
            drain=conf.DRAIN_SECONDS + 10,
        )

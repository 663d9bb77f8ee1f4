"""What one connection may cost the server, and how long things may take."""

from __future__ import annotations

import resource
from dataclasses import dataclass, field
from typing import Self

from websocket_core.conf import conf

KIB = 1024


def _connections() -> int:
    """How many sockets the limit of open files has room for, beside those of databases, logs and whatever else."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return 1_000_000
    return max(16, files - max(64, files // 10))


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of the server. Sizes are bytes, times are seconds."""

    # --- outbound, per socket
    high_water: int = 1024 * KIB
    """More than this in the transport, and `send` waits."""
    low_water: int = 256 * KIB
    """It goes on when no more than this is left."""
    stall: float = 20.0
    """A socket that takes nothing for so long is closed with 4408."""
    cut: float = 5.0
    """After a close frame the client has so long to answer it; then the TCP connection is cut."""

    # --- inbound, per socket
    unread_messages: int = 64
    """With more messages than this unread by the application, the server stops reading from the socket."""
    unread_bytes: int = 256 * KIB
    """The same in bytes."""
    message: int = 1024 * KIB
    """A larger WebSocket message is refused with 1009."""
    fragments: int = 2000
    """So many frames that are no whole message may come at once (a ping or pong counts as ten); more are answered with
    4429."""
    fragments_per_second: float = 500.0
    """This many a second may come without end."""
    slice: float = 0.002
    """The frames of one socket are read for so long, then others have their turn."""
    request_body: int = 4096 * KIB
    """A larger body of an HTTP request is refused with 413."""

    # --- all sockets
    connections: int = field(default_factory=_connections)
    """This many may be open at once; when one more comes, the oldest that has not finished its request is cut."""

    # --- times
    head: float = 20.0
    """The head of a request has to be whole after so long, counted from its first byte or the beginning of the
    connection; then it is refused with 408."""
    body_rate: int = 1024
    """Bytes a second with which a body has to come, `head` seconds after it began; else it is refused with 408."""
    ping: float = 20.0
    """Every WebSocket gets a ping so often."""
    silence: float = 50.0
    """A WebSocket from which nothing came for so long, not even a pong, is cut."""
    handshake: float = 20.0
    """The application has so long to accept a WebSocket; then it is refused with 503."""
    close_application: float = 10.0
    """So long an application may go on when its connection is gone; then it is cancelled."""
    tick: float = 1.0
    """How often the times above are looked at."""

    # --- the end
    drain: float = 20.0
    """The longest that draining may take (`NETRA_DRAIN_SECONDS` for the runs, and ten more for what comes after)."""
    grace: float = 6.0
    """So long the server waits for the applications after that; then it cancels them."""

    @classmethod
    def from_settings(cls) -> Self:
        """Return the limits with what Django's settings say about them."""
        return cls(
            stall=conf.STALL_SECONDS,
            cut=conf.STALL_CUT_SECONDS,
            ping=conf.PING_SECONDS,
            silence=conf.SILENCE_SECONDS,
            drain=conf.DRAIN_SECONDS + 10,
        )

"""The interfaces through which the parts of the server see the server itself, without importing its class."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence, Sized
from typing import Any, Protocol

from netra.server.limits import Limits


class ServerSide(Protocol):
    """The server as a connection sees it.

    Attributes:
        draining: the process is about to end: no new WebSockets, and no HTTP connection stays open.
        body_limit: returns how many bytes the body of a request to a path may have; `None`: as `limits` says.
        root_path_header: whether the application's mount point is taken from `Daphne-Root-Path`.
        action_logger: Daphne's access log; `None` for none.
    """

    limits: Limits
    loop: asyncio.AbstractEventLoop
    draining: bool
    body_limit: Callable[[str], int | None] | None
    root_path_header: bool
    action_logger: Callable[..., None] | None
    server_name: str

    def log_action(self, protocol: str, action: str, details: dict[str, Any]) -> None:
        """Write a line into the access log, if there is one."""

    def protocol_disconnected(self, protocol: Any) -> None:
        """A request is over, or its connection is gone. May come twice."""


class Closable(Protocol):
    """A connection that can be closed."""

    def close(self, code: int, reason: str = "") -> None:
        """Start to close with a WebSocket close code."""


class Stoppable(Protocol):
    """The server as a shutdown sees it."""

    limits: Limits
    loop: asyncio.AbstractEventLoop
    draining: bool

    @property
    def connections(self) -> Sized:
        """Everything that is connected, or whose application has not ended."""

    def websockets(self) -> Sequence[Closable]:
        """Return the WebSockets that are open, or on their way in or out."""

    def applications(self) -> list[asyncio.Task[None]]:
        """Return the running applications."""

    def stop_listening(self) -> None:
        """Accept no more connections."""

    def stop(self) -> None:
        """Cut all remaining connections, and let `run` return."""

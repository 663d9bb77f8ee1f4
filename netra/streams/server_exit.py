"""Whether the ASGI server is about to end.

`manage.py serve` drains connections by itself. uvicorn waits for open responses before it tells an application anything
(lifespan), so a stream would hold up the end of the process for ever. The handler that uvicorn has installed for
SIGTERM is a method of its server, whose `should_exit` says what is coming.
"""

from __future__ import annotations

import signal


def is_told() -> bool:
    """Whether this process's server says when it ends."""
    return _server() is not None


def is_near() -> bool:
    """Whether the server waits for its connections to end."""
    return getattr(_server(), "should_exit", False) is True


def _server() -> object | None:
    server: object | None = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return server if hasattr(server, "should_exit") else None

"""Which user, thread, run and connection a log line is about: bound once where work begins, in every line after it."""

from __future__ import annotations

from hashlib import sha256

from structlog.contextvars import bind_contextvars


def user_mark(user_id: str) -> str:
    """A short, stable mark of a user for logs and traces: lines can be told apart, and do not say who it is."""
    return sha256(b"log:" + user_id.encode()).hexdigest()[:12]


def bind(user_id: str, **ids: str | None) -> None:
    """Bind ids for the log lines of the current task and of what it starts."""
    bind_contextvars(user=user_mark(user_id), **{name: value for name, value in ids.items() if value})

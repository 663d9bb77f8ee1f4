"""Which user, thread, run and connection a log line is about: bound once where work begins, in every line after it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from hashlib import sha256

from structlog.contextvars import bind_contextvars, bound_contextvars, unbind_contextvars


def user_mark(user_id: str) -> str:
    """A short, stable mark of a user for logs and traces: lines can be told apart, and do not say who it is."""
    return sha256(b"log:" + user_id.encode()).hexdigest()[:12]


def bind(user_id: str, **ids: str | None) -> None:
    """Bind ids for the log lines of the current task and of what it starts.

    An id that is absent or empty is unbound: it would be that of the work before.
    """
    bind_contextvars(user=user_mark(user_id), **_given(ids))
    unbind_contextvars(*(name for name, value in ids.items() if not value))


def bound(user_id: str, **ids: str | None) -> AbstractContextManager[None]:
    """The same for the log lines of a block."""
    return bound_contextvars(user=user_mark(user_id), **_given(ids))


def _given(ids: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in ids.items() if value}

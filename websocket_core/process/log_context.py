"""The user, thread, run and connection that log lines are about. Bound once where work begins, then in every line.

The ids are in a context variable. `LogIds` adds them to log records, for any formatter. The logging of the `netra`
project does so by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import sha256
from types import MappingProxyType

_NONE: Mapping[str, str] = MappingProxyType({})
_ids: ContextVar[Mapping[str, str]] = ContextVar("netra_log_ids", default=_NONE)


class LogIds(logging.Filter):
    """Adds the bound ids to each record, as `netra_user`, `netra_thread`, `netra_run` and so on.

    For the `filters` of a handler in a site's `LOGGING`. It lets every record through. The attributes have a prefix
    because a record's own `thread` is the number of the thread that wrote it.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the ids. Always returns `True`."""
        for name, value in _ids.get().items():
            setattr(record, f"netra_{name}", value)
        return True


def user_mark(user_id: str) -> str:
    """A short, stable pseudonym of a user for logs and traces. It distinguishes users without identifying them."""
    return sha256(b"log:" + user_id.encode()).hexdigest()[:12]


def current() -> Mapping[str, str]:
    """The ids that are bound at present, by name."""
    return _ids.get()


def rebind(ids: Mapping[str, str]) -> None:
    """Bind exactly these ids, which `current` returned elsewhere."""
    _ids.set(ids)


def bind(user_id: str, **ids: str | None) -> None:
    """Bind ids for the log lines of the current task and of the tasks that it starts.

    An absent or empty id is unbound, because it would belong to earlier work.
    """
    _ids.set(_with(user_id, ids))


@contextmanager
def bound(user_id: str, **ids: str | None) -> Iterator[None]:
    """Bind ids for the log lines of a block. An absent or empty id leaves the bound one unchanged."""
    token = _ids.set(_with(user_id, {name: value for name, value in ids.items() if value}))
    try:
        yield
    finally:
        _ids.reset(token)


def _with(user_id: str, ids: Mapping[str, str | None]) -> Mapping[str, str]:
    merged = {**_ids.get(), "user": user_mark(user_id), **ids}
    return {name: value for name, value in merged.items() if value}

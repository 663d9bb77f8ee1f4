"""Room in the database: how many bytes a user may store in a day and in a thread, and what becomes of a run for which
there is none.

Counted is what the journal and the runs store: encoded events, inputs, results, the arguments of approvals. A thread's
bytes are written with its head; its user's day gets them when a run begins or ends, and when `settle_at` of them have
gathered, so that an event costs no statement more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Protocol

from websocket_core.conf import conf
from websocket_core.errors import QuotaExceeded
from websocket_core.journal.thread_row import ThreadRow

SETTLE_BYTES = 64 * 1024


def size_of(text: str) -> int:
    """Bytes of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def settle_at() -> int:
    """How many bytes a thread may have that its user's day does not know of: a thousandth of the day at most."""
    return min(SETTLE_BYTES, conf.BYTES_PER_USER_PER_DAY // 1024) if conf.BYTES_PER_USER_PER_DAY else SETTLE_BYTES


def check(now: datetime, thread_bytes: int, day_bytes: int | None) -> None:
    """Refuse what would take a thread or its user's day beyond the limits; both numbers are with it.

    Raises:
        QuotaExceeded: with `retry_after_ms` where waiting helps.
    """
    if 0 < conf.BYTES_PER_THREAD < thread_bytes:
        raise QuotaExceeded(
            f"This thread is full: it may take {_megabytes(conf.BYTES_PER_THREAD)}. Go on in a new thread, "
            "or delete this one."
        )
    if day_bytes is not None and 0 < conf.BYTES_PER_USER_PER_DAY < day_bytes:
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        raise QuotaExceeded(
            f"You have stored {_megabytes(conf.BYTES_PER_USER_PER_DAY)} today, as much as one may in a day. "
            "Go on after midnight UTC.",
            retry_after_ms=int((midnight - now).total_seconds() * 1000) + 1,
        )


def _megabytes(count: int) -> str:
    return f"{count / 1024**2:,.0f} MiB" if count >= 1024**2 else f"{count:,} bytes"


class Room(Protocol):
    """What knows how much room there is: a transaction."""

    def require_room(self, row: ThreadRow, size: int) -> None:
        """Raise `QuotaExceeded`, if so many bytes more are too many for the thread or its owner's day."""


class RoomOfRun:
    """Whether a run's events still find room. After the first that does not, no later one is written: an answer has no
    holes, and a tool no end without a beginning.

    Args:
        closing: the run is about to end: what closes it always has room.
    """

    def __init__(self, *, closing: bool = False) -> None:
        self._closing = closing
        self._listener: tuple[asyncio.AbstractEventLoop, Callable[[QuotaExceeded], None]] | None = None
        self._error: QuotaExceeded | None = None

    def when_refused(self, callback: Callable[[QuotaExceeded], None]) -> None:
        """Call this in the running event loop, once, when an event is refused."""
        self._listener = (asyncio.get_running_loop(), callback)

    def require(self, transaction: Room, row: ThreadRow, size: int) -> None:
        """Raise, before anything was written, if there is no room for so many bytes. In the writer's thread.

        Raises:
            QuotaExceeded: there is none, or was none for an earlier event.
        """
        if self._closing:
            return
        try:
            if self._error is not None:
                raise QuotaExceeded(str(self._error), **self._error.fields)
            transaction.require_room(row, size)
        except QuotaExceeded as error:
            self._error = error
            listener, self._listener = self._listener, None
            if listener is not None:
                loop, callback = listener
                with suppress(RuntimeError):  # the loop was closed meanwhile
                    loop.call_soon_threadsafe(callback, error)
            raise

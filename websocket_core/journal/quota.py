"""Quotas: how many bytes a user may store per day and per thread, and how a run ends that exceeds them.

The count includes everything that the journal and the runs store: encoded events, inputs, results and the arguments of
approvals. A thread's bytes are written together with its head. The user's day is updated when a run begins or ends, and
whenever `settle_at` bytes have accumulated, so that an event needs no additional statement.
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
    """Length of a text in bytes of UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def settle_at() -> int:
    """How many bytes a thread may collect before its user's day counts them: at most a thousandth of the quota."""
    return min(SETTLE_BYTES, conf.BYTES_PER_USER_PER_DAY // 1024) if conf.BYTES_PER_USER_PER_DAY else SETTLE_BYTES


def check(now: datetime, thread_bytes: int, day_bytes: int | None) -> None:
    """Refuse bytes that would exceed the limit of a thread or of its user's day.

    Args:
        thread_bytes: bytes of the thread, including the new ones.
        day_bytes: bytes of the user's day, including the new ones; `None` if the day is not locked.

    Raises:
        QuotaExceeded: with `retry_after_ms` if waiting helps.
    """
    if 0 < conf.BYTES_PER_THREAD < thread_bytes:
        raise QuotaExceeded(
            f"This thread is full. Its limit is {_megabytes(conf.BYTES_PER_THREAD)}. Continue in a new thread "
            "or delete this one."
        )
    if day_bytes is not None and 0 < conf.BYTES_PER_USER_PER_DAY < day_bytes:
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        raise QuotaExceeded(
            f"Today's limit of {_megabytes(conf.BYTES_PER_USER_PER_DAY)} is reached. "
            "You can continue after midnight UTC.",
            retry_after_ms=int((midnight - now).total_seconds() * 1000) + 1,
        )


def _megabytes(count: int) -> str:
    return f"{count / 1024**2:,.0f} MiB" if count >= 1024**2 else f"{count:,} bytes"


class Room(Protocol):
    """The part of a transaction that knows the quotas."""

    def require_room(self, row: ThreadRow, size: int) -> None:
        """Raise `QuotaExceeded` if `size` more bytes exceed the limit of the thread or of its owner's day."""


class RoomOfRun:
    """The quota as seen by one run. After the first refused event, every later one is refused too.

    An answer therefore never has holes, and a tool never ends without having begun.

    Args:
        closing: the run is about to end. The events that close it always have room.
    """

    def __init__(self, *, closing: bool = False) -> None:
        self._closing = closing
        self._listener: tuple[asyncio.AbstractEventLoop, Callable[[QuotaExceeded], None]] | None = None
        self._error: QuotaExceeded | None = None

    def when_refused(self, callback: Callable[[QuotaExceeded], None]) -> None:
        """Call `callback` once, in the running event loop, when an event is refused."""
        self._listener = (asyncio.get_running_loop(), callback)

    def require(self, transaction: Room, row: ThreadRow, size: int) -> None:
        """Check that the quota has room for `size` more bytes. Runs in the writer's thread, before anything is written.

        Raises:
            QuotaExceeded: there is no room, or there was none for an earlier event of the run.
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
                with suppress(RuntimeError):  # the loop has been closed in the meantime
                    loop.call_soon_threadsafe(callback, error)
            raise

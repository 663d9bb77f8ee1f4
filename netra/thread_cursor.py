"""Checks a client's cursor in a thread before anything is read or sent."""

from __future__ import annotations

from typing import NamedTuple

from websocket_core.errors import CursorExpired, InvalidCursor
from websocket_core.journal import reading as journal_read
from websocket_core.journal.epoch import with_epoch
from websocket_core.journal.reading import Bounds


class Place(NamedTuple):
    """The thread at the time of the check: the events that it has, and the epoch of its cursors."""

    bounds: Bounds
    epoch: str


async def checked(owner_id: str, thread_id: str, after: int, epoch: str | None) -> Place:
    """Check a cursor. A thread without events has only the cursor 0.

    Args:
        after: the last seq that the client has.
        epoch: of the cursor, if the client names it.

    Raises:
        CursorExpired: the events after it are pruned, or it is a cursor of another epoch.
        InvalidCursor: it is ahead of the thread.
    """
    now, found = await with_epoch(journal_read.bounds, owner_id, [thread_id])
    if epoch and epoch != now:
        message = "A backup was restored: discard what you have of this thread, and read from 0."
        raise CursorExpired(message, thread_id=thread_id, first_seq=1, epoch=now)
    bounds = found.get(thread_id, Bounds(1, 0))
    if after > bounds.last_seq:
        raise InvalidCursor(thread_id=thread_id, last_seq=bounds.last_seq)
    if after < bounds.first_seq - 1:
        raise CursorExpired(thread_id=thread_id, first_seq=bounds.first_seq)
    return Place(bounds, now)

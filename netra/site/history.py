"""Reads a user's threads and their events page by page, so that only one page at a time is in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from django.db.models import Q

from netra.agents.ledger.reading import thread_states
from netra.agents.models import OPEN
from netra.site import crossing
from netra.site.missing import ThreadNotFound
from netra.site.users import id_of
from websocket_core.conf import conf
from websocket_core.errors import CursorExpired, InvalidAction, InvalidCursor
from websocket_core.journal.reading import read_after
from websocket_core.models import Thread as ThreadRow
from websocket_core.protocols.run_service import RunState

PAGE = 100  # threads per query


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread, as in the wire's `synced`.

    Attributes:
        thread_id: the thread's id, unique per user.
        title: the title, for people.
        last_seq: number of the newest event.
        active_run_id: the open run, if there is one.
        updated_at: when the thread last changed (UTC).
    """

    thread_id: str
    title: str
    last_seq: int
    active_run_id: str | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """A journalled event, as on the wire.

    Attributes:
        event_type, thread_id, run_id, seq, data: as on the wire.
        timestamp: when the event was committed (UTC).
    """

    event_type: str
    thread_id: str
    run_id: str
    seq: int
    timestamp: datetime
    data: Any


_decoder = msgspec.json.Decoder(Event)


def threads(user: Any) -> Iterator[Thread]:
    """A user's threads, the most recently changed first.

    A thread that changes during the iteration is still returned exactly once.

    Args:
        user: a Django user, or a user id.
    """
    crossing.refuse_in_loop("netra.threads", "async for … in netra.athreads")
    return _threads(_ThreadPages(id_of(user)))


def _threads(pages: _ThreadPages) -> Iterator[Thread]:
    while not pages.over:
        yield from pages.next()


async def athreads(user: Any) -> AsyncIterator[Thread]:
    """See `threads`."""
    pages = _ThreadPages(id_of(user))
    while not pages.over:
        for thread in await crossing.read(pages.next):
            yield thread


def events(thread_id: str, *, user: Any, after: int = 0) -> Iterator[Event]:
    """The events of a user's thread up to now, in order.

    Args:
        thread_id: the thread.
        user: its owner: a Django user, or a user id.
        after: number of the last known event; 0 begins with the oldest stored event.

    Raises:
        ThreadNotFound: this user has no such thread (a `LookupError`).
        InvalidCursor: `after` is greater than the number of the newest event.
        CursorExpired: events after `after` have been deleted; `fields["first_seq"]` is the oldest stored one.
    """
    crossing.refuse_in_loop("netra.events", "async for … in netra.aevents")
    pages = _EventPages(id_of(user), thread_id, after)
    pages.begin()
    return _events(pages)


def _events(pages: _EventPages) -> Iterator[Event]:
    while page := pages.next():
        yield from page


async def aevents(thread_id: str, *, user: Any, after: int = 0) -> AsyncIterator[Event]:
    """See `events`. Its exceptions are raised when the first event is requested."""
    pages = _EventPages(id_of(user), thread_id, after)
    await crossing.read(pages.begin)
    while page := await crossing.read(pages.next):
        for event in page:
            yield event


class _ThreadPages:
    """Pages of threads. Threads that change in the meantime move to the front, which is read again at the end."""

    def __init__(self, user_id: str) -> None:
        self._user_id = user_id
        self._began = datetime.now(UTC)
        self._after: tuple[datetime, str] | None = None
        self._given: set[str] = set()
        self._moved = False  # whether it now reads threads that changed in the meantime
        self.over = False

    def next(self) -> list[Thread]:
        rows = ThreadRow.objects.filter(owner_id=self._user_id, deleted_at=None)
        if self._moved:
            rows = rows.filter(updated_at__gte=self._began)
        if self._after is not None:
            at, thread_id = self._after
            rows = rows.filter(Q(updated_at__lt=at) | Q(updated_at=at, thread_id__lt=thread_id))
        page = list(rows.order_by("-updated_at", "-thread_id")[:PAGE])
        if len(page) < PAGE:
            self._after, self._moved, self.over = None, True, self._moved
        else:
            self._after = page[-1].updated_at, page[-1].thread_id
        fresh = [row for row in page if row.thread_id not in self._given]
        self._given.update(row.thread_id for row in fresh)
        return self._described(fresh)

    def _described(self, rows: list[ThreadRow]) -> list[Thread]:
        states = thread_states(self._user_id, [row.thread_id for row in rows]) if rows else {}
        found = []
        for row in rows:
            state = states.get(row.thread_id, RunState())
            active = state.run_id if state.status in OPEN else None
            found.append(Thread(row.thread_id, row.title, row.last_seq, active, row.updated_at))
        return found


class _EventPages:
    """Pages of a thread's events, up to the newest event at the beginning of the iteration."""

    def __init__(self, user_id: str, thread_id: str, after: int) -> None:
        if type(after) is not int or after < 0:
            raise InvalidAction("`after` must be a whole number, 0 or more.", field="after")
        self._user_id, self._thread_id, self._after, self._last = user_id, thread_id, after, 0

    def begin(self) -> None:
        rows = ThreadRow.objects.filter(owner_id=self._user_id, thread_id=self._thread_id, deleted_at=None)
        bounds = rows.values_list("first_seq", "last_seq").first()
        if bounds is None:
            raise ThreadNotFound("There is no such thread.", thread_id=self._thread_id)
        first, self._last = bounds
        if self._after > self._last:
            raise InvalidCursor(thread_id=self._thread_id, last_seq=self._last)
        if self._after == 0:
            self._after = first - 1
        self._require_kept(first)

    def next(self) -> list[Event]:
        if self._after >= self._last:
            return []
        page = read_after(self._user_id, self._thread_id, self._after, conf.PAGE_CHARS)
        if not page.frames:
            self._require_kept(page.first_seq)
            raise ThreadNotFound("The thread was deleted.", thread_id=self._thread_id)
        self._after += len(page.frames)
        found = [_decoder.decode(frame) for frame in page.frames]
        return [event for event in found if event.seq <= self._last]

    def _require_kept(self, first_seq: int) -> None:
        if self._after < first_seq - 1:
            raise CursorExpired(thread_id=self._thread_id, first_seq=first_seq)

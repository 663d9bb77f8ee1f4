"""Reading the journal. Synchronous functions for `db.read`; everything is looked up by user."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from django.db import connection

from websocket_core.conf import conf
from websocket_core.errors import GrammarError
from websocket_core.ids import ThreadKey
from websocket_core.journal.statements import pairs_of
from websocket_core.models import Thread
from websocket_core.wire import RunGrammar


class _Frame(msgspec.Struct):
    data: dict[str, Any]


_frames = msgspec.json.Decoder(_Frame)


class Page(NamedTuple):
    """Frames of one thread after a cursor, contiguous; `first_seq` is the oldest event that retention has left."""

    frames: list[str]
    first_seq: int


class Bounds(NamedTuple):
    """Where a thread's events begin and end; `last_seq` is 0 for a thread that does not exist."""

    first_seq: int
    last_seq: int
    updated_at: datetime | None = None


class Welcome(NamedTuple):
    """What a new connection has to know."""

    heads: dict[ThreadKey, int]
    complete: bool  # False: the user has more threads than `heads`; the others were last updated before `oldest`
    oldest: datetime | None


def read_after(owner_id: str, thread_id: str, after: int, limit_chars: int) -> Page:
    """Events after `after`, at most `PAGE_EVENTS` of them and about `limit_chars` (one at least)."""
    frames: list[str] = []
    chars, expected = 0, after + 1
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, first_seq FROM websocket_core_thread WHERE owner_id = %s AND thread_id = %s",
            [owner_id, thread_id],
        )
        thread = cursor.fetchone()
        if thread is None:
            return Page([], 1)
        cursor.execute(
            "SELECT seq, frame FROM websocket_core_event WHERE thread_id = %s AND seq > %s ORDER BY seq LIMIT %s",
            [thread[0], after, conf.PAGE_EVENTS],
        )
        for seq, frame in cursor:
            if seq != expected or (frames and chars + len(frame) > limit_chars):
                break
            frames.append(frame)
            chars += len(frame)
            expected += 1
    return Page(frames, thread[1])


def bounds(owner_id: str, thread_ids: Sequence[str]) -> dict[str, Bounds]:
    """First and last event of the user's threads; those that do not exist are absent."""
    rows = Thread.objects.filter(owner_id=owner_id, thread_id__in=thread_ids).values_list(
        "thread_id", "first_seq", "last_seq", "updated_at"
    )
    return {thread_id: Bounds(first, last, moved_at) for thread_id, first, last, moved_at in rows}


def welcome(owner_id: str) -> Welcome:
    """Heads of the user's threads as they are now."""
    limit = conf.HEADS
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT thread_id, last_seq, updated_at FROM websocket_core_thread "
            "WHERE owner_id = %s ORDER BY updated_at DESC LIMIT %s",
            [owner_id, limit],
        )
        rows = cursor.fetchall()
    heads = {(owner_id, row[0]): row[1] for row in rows}
    # Of the same look: a second one would find a thread that has moved meanwhile, and a time after that of others.
    return Welcome(heads, len(rows) < limit, _aware(rows[-1][2]) if rows else None)


def _aware(value: datetime) -> datetime:
    """SQLite's columns know no time zone; what is in them is UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


def head_before(owner_id: str, thread_id: str, moment: datetime) -> int:
    """The head a thread had at `moment`."""
    thread = Thread.objects.filter(owner_id=owner_id, thread_id=thread_id).first()
    if thread is None:
        return 0
    newest = thread.events.filter(created_at__lte=moment).order_by("-seq").values_list("seq", flat=True).first()
    return newest if newest is not None else thread.first_seq - 1


def grammar_of(thread_pk: int, run_id: str, first_seq: int) -> RunGrammar:
    """The tool calls and approvals of a run that has begun, those that are open and the ids of all, as the journal has
    them.

    A row that was damaged is left out: it must not keep its run open for ever.

    Args:
        first_seq: number of the run's first event; without it the thread's whole history would be read.
    """
    grammar = RunGrammar()
    grammar.feed("agent_started", {})
    for event_type, frame in pairs_of(thread_pk, run_id, first_seq):
        with suppress(msgspec.DecodeError, GrammarError, LookupError, TypeError):
            grammar.feed(event_type, _frames.decode(frame).data)
    return grammar


def moved_since(moment: datetime, owner_ids: Collection[str] | None = None) -> list[tuple[str, str, int]]:
    """`(owner_id, thread_id, last_seq)` of the threads that moved since `moment`: the watchdog's question.

    Args:
        owner_ids: whose threads; `None`: everybody's, which no process asks that serves some of an installation.
    """
    columns, where = "owner_id, thread_id, last_seq", "FROM websocket_core_thread WHERE updated_at > %s"
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            # It gives the interpreter's lock away for every row: it makes one of them all.
            given: list[Any] = [connection.ops.adapt_datetimefield_value(moment)]
            if owner_ids is not None:
                where += " AND owner_id IN (SELECT value FROM json_each(%s))"
                given.append(msgspec.json.encode([str(owner_id) for owner_id in owner_ids]).decode())
            cursor.execute(f"SELECT json_group_array(json_array({columns})) {where}", given)
            found: list[tuple[str, str, int]] = msgspec.json.decode(cursor.fetchone()[0])
            return found
        if owner_ids is None:
            cursor.execute(f"SELECT {columns} {where}", [moment])
        else:
            cursor.execute(
                f"SELECT {columns} {where} AND owner_id = ANY(%s)", [moment, [str(owner_id) for owner_id in owner_ids]]
            )
        return cursor.fetchall()  # type: ignore[no-any-return]


def threads_of(owner_id: str, limit: int, before: datetime | None) -> list[dict[str, Any]]:
    """The user's threads, newest first, for `synced` (without the active run, which the run service knows)."""
    threads = Thread.objects.filter(owner_id=owner_id, deleted_at=None)
    if before is not None:
        threads = threads.filter(updated_at__lt=before)
    fields = ("thread_id", "title", "last_seq", "active_run_id", "updated_at")
    return list(threads.order_by("-updated_at").values(*fields)[:limit])

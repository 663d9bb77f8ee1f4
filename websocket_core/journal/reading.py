"""Functions that read the journal. They are synchronous, run through `db.read`, and always look rows up by user."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from websocket_core.conf import conf
from websocket_core.database.home import connection
from websocket_core.errors import GrammarError
from websocket_core.ids import ThreadKey
from websocket_core.models import Thread
from websocket_core.wire import RunGrammar
from websocket_core.wire.vocabulary import PAIR_TYPES, TERMINAL_TYPES, sql_words


class _Frame(msgspec.Struct):
    data: dict[str, Any]


_frames = msgspec.json.Decoder(_Frame)


class Page(NamedTuple):
    """Frames of one thread after a cursor, without gaps. `first_seq` is the oldest event still stored."""

    frames: list[str]
    first_seq: int


class Bounds(NamedTuple):
    """The first and last event of a thread. `last_seq` is 0 for a thread that does not exist."""

    first_seq: int
    last_seq: int
    updated_at: datetime | None = None


class Welcome(NamedTuple):
    """The positions at which a new connection starts."""

    heads: dict[ThreadKey, int]
    complete: bool  # False: the user has more threads; those were last updated before `oldest`
    oldest: datetime | None


def read_after(owner_id: str, thread_id: str, after: int, limit_chars: int) -> Page:
    """Events after `after`: at most `PAGE_EVENTS` and about `limit_chars` characters, but at least one event."""
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
    """First and last event of the user's threads. Threads that do not exist are missing from the result."""
    rows = Thread.objects.filter(owner_id=owner_id, thread_id__in=thread_ids).values_list(
        "thread_id", "first_seq", "last_seq", "updated_at"
    )
    return {thread_id: Bounds(first, last, moved_at) for thread_id, first, last, moved_at in rows}


def welcome(owner_id: str) -> Welcome:
    """The current heads of the user's most recent threads."""
    limit = conf.HEADS
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT thread_id, last_seq, updated_at FROM websocket_core_thread "
            "WHERE owner_id = %s ORDER BY updated_at DESC LIMIT %s",
            [owner_id, limit],
        )
        rows = cursor.fetchall()
    heads = {(owner_id, row[0]): row[1] for row in rows}
    # `oldest` comes from the same query. A second query could miss a thread that was updated between the two.
    return Welcome(heads, len(rows) < limit, _aware(rows[-1][2]) if rows else None)


def _aware(value: datetime) -> datetime:
    """SQLite's columns have no time zone. Their values are UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value


def head_before(owner_id: str, thread_id: str, moment: datetime) -> int:
    """The `last_seq` that a thread had at `moment`."""
    thread = Thread.objects.filter(owner_id=owner_id, thread_id=thread_id).first()
    if thread is None:
        return 0
    newest = thread.events.filter(created_at__lte=moment).order_by("-seq").values_list("seq", flat=True).first()
    return newest if newest is not None else thread.first_seq - 1


def grammar_of(thread_pk: int, run_id: str, first_seq: int) -> RunGrammar:
    """The tool calls and approvals of a run that has begun, both open and closed, as the journal has them.

    A damaged row is skipped: it must not keep its run open for ever.

    Args:
        first_seq: number of the run's first event. It saves reading the thread's whole history.
    """
    grammar = RunGrammar()
    grammar.feed("agent_started", {})
    for event_type, frame in pairs_of(thread_pk, run_id, first_seq):
        with suppress(msgspec.DecodeError, GrammarError, LookupError, TypeError):
            grammar.feed(event_type, _frames.decode(frame).data)
    return grammar


def moved_since(moment: datetime, owner_ids: Collection[str] | None = None) -> list[tuple[str, str, int]]:
    """Threads updated since `moment`, as `(owner_id, thread_id, last_seq)`. The watchdog calls this.

    Args:
        owner_ids: the users whose threads are read. `None` means all users; a process that serves only some of an
            installation's users never asks for all.
    """
    columns, where = "owner_id, thread_id, last_seq", "FROM websocket_core_thread WHERE updated_at > %s"
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            # SQLite releases the interpreter's lock for every row, so the query returns a single row.
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
    """The user's threads, newest first, for `synced`."""
    threads = Thread.objects.filter(owner_id=owner_id, deleted_at=None)
    if before is not None:
        threads = threads.filter(updated_at__lt=before)
    fields = ("thread_id", "title", "last_seq", "active_run_id", "updated_at")
    return list(threads.order_by("-updated_at").values(*fields)[:limit])


def has_ended(thread_pk: int, run_id: str) -> bool:
    """Whether a run has its terminal event. The constraint's partial index answers this."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM websocket_core_event WHERE thread_id = %s AND run_id = %s "
            f"AND event_type IN ({sql_words(TERMINAL_TYPES)}) LIMIT 1",
            [thread_pk, run_id],
        )
        return cursor.fetchone() is not None


def pairs_of(thread_pk: int, run_id: str, first_seq: int) -> list[tuple[str, str]]:
    """`(event_type, frame)` of the events that open or close a run's tools and approvals, in order. Uses an index."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT event_type, frame FROM websocket_core_event WHERE thread_id = %s AND run_id = %s AND seq >= %s "
            f"AND event_type IN ({sql_words(PAIR_TYPES)}) "
            "ORDER BY seq",
            [thread_pk, run_id, first_seq],
        )
        return cursor.fetchall()  # type: ignore[no-any-return]

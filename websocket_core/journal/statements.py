"""The journal's SQL statements for SQLite and PostgreSQL.

They are written by hand because the ORM's objects cost two to three times as much as the rows themselves. Few, large
statements matter for another reason: each statement is a round trip on PostgreSQL, and on SQLite it releases the
interpreter's lock, which the thread then has to acquire again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple, Protocol

from websocket_core.database.home import connection

THREAD_COLUMNS = (
    "id, owner_id, thread_id, title, last_seq, active_run_id, fence, deleted_at IS NOT NULL, bytes, uncounted_bytes, "
    "updated_at > {fresh}"
)
EVENT_COLUMNS = "thread_id, seq, run_id, event_type, frame, created_at"

EventRow = tuple[int, int, str, str, str]  # thread pk, seq, run_id, event_type, frame


class HeadRow(NamedTuple):
    """A thread's new head, as it is written back."""

    pk: int
    last_seq: int
    active_run_id: str | None
    fence: int
    bytes: int
    uncounted: int


class Position(NamedTuple):
    """How far a thread has come while its run goes on."""

    pk: int
    last_seq: int
    bytes: int
    uncounted: int


class Statements(Protocol):
    """The statements of the journal. They run inside the caller's transaction."""

    commits_clearly: bool
    """Whether a commit that failed has certainly not happened. Over a network this is unknown."""

    def lock_threads(self, keys: Sequence[tuple[str, str]], fresh: datetime) -> list[tuple[Any, ...]]:
        """Lock the threads with these `(owner_id, thread_id)` and return their `THREAD_COLUMNS`.

        Rows are locked in the order of their primary keys, so that two writers never deadlock. The last column tells
        whether the thread was updated after `fresh`.
        """

    def insert_events(self, rows: Sequence[EventRow], now: datetime, actors: Mapping[int, str]) -> None:
        """Insert events.

        Args:
            actors: index in `rows` → actor of that event. It is usually empty, and then the column keeps its default
                and costs nothing.
        """

    def write_heads(self, rows: Sequence[HeadRow], now: datetime) -> None:
        """Write the heads of threads. `updated_at` becomes `now`, a microsecond later for each row.

        `sync` pages by `updated_at`. If several threads had the same time, a page could end between them, and the next
        page would skip the rest.
        """

    def write_positions(self, rows: Sequence[Position]) -> None:
        """Write only the positions of threads whose run goes on and whose `updated_at` is recent enough.

        This changes no index. It is half the work, and on PostgreSQL the row stays on its page.
        """

    def lock_days(self, owner_ids: Sequence[str], day: int) -> list[tuple[str, int]]:
        """Lock the days of these users in this order. Create missing ones. Return `(owner_id, bytes)` of each."""

    def write_days(self, rows: Sequence[tuple[str, int]]) -> None:
        """Write `(owner_id, bytes)` for each user."""


def statements() -> Statements:
    """The statements for the current thread's connection."""
    return _POSTGRESQL if connection.vendor == "postgresql" else _SQLITE


def _pieces(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Cut rows into pieces of a few fixed sizes, so that there are few different statements to prepare."""
    position = 0
    for size in (256, 64, 16):
        while len(rows) - position >= size:
            yield rows[position : position + size]
            position += size
    if position < len(rows):  # at most fifteen further sizes: preparing them is cheaper than one statement per row
        yield rows[position:]


class _SQLite:
    """SQLite, through its own cursor.

    Django's wrapper rewrites the placeholders of every call. The transaction is IMMEDIATE, so it already holds the
    lock.
    """

    commits_clearly = True

    def lock_threads(self, keys: Sequence[tuple[str, str]], fresh: datetime) -> list[tuple[Any, ...]]:
        execute = connection.connection.execute  # looked up once: Django finds the connection anew each time
        moment = _sqlite_moment(fresh)
        rows: list[tuple[Any, ...]] = []
        for piece in _pieces(keys):
            rows += execute(_sqlite_select(len(piece)), [*chain.from_iterable(piece), moment]).fetchall()
        return rows

    def insert_events(self, rows: Sequence[EventRow], now: datetime, actors: Mapping[int, str]) -> None:
        execute, created = connection.connection.execute, _sqlite_moment(now)
        values: Sequence[tuple[Any, ...]] = _with_actors(rows, actors) if actors else rows
        for piece in _pieces(values):
            execute(_sqlite_insert(len(piece), bool(actors)), [created, *chain.from_iterable(piece)])

    def write_heads(self, rows: Sequence[HeadRow], now: datetime) -> None:
        execute, moments = connection.connection.execute, map(_sqlite_moment, _moments(now, len(rows)))
        for piece in _pieces(rows):
            values = [value for row in piece for value in (*row, next(moments))]
            execute(_sqlite_update(len(piece)), values)

    def write_positions(self, rows: Sequence[Position]) -> None:
        execute = connection.connection.execute
        for piece in _pieces(rows):
            execute(_sqlite_move(len(piece)), list(chain.from_iterable(piece)))

    def lock_days(self, owner_ids: Sequence[str], day: int) -> list[tuple[str, int]]:
        execute = connection.connection.execute
        rows: list[tuple[str, int]] = []
        for piece in _pieces(owner_ids):
            rows += execute(_sqlite_days(len(piece)), [day, *piece]).fetchall()
        return rows

    def write_days(self, rows: Sequence[tuple[str, int]]) -> None:
        connection.connection.executemany("UPDATE websocket_core_ownerday SET bytes = ?2 WHERE owner_id = ?1", rows)


def _with_actors(rows: Sequence[EventRow], actors: Mapping[int, str]) -> list[tuple[Any, ...]]:
    """The rows with their actor as the first column."""
    return [(actors.get(place, ""), *row) for place, row in enumerate(rows)]


def _moments(now: datetime, count: int) -> Iterator[datetime]:
    """Distinct times, a microsecond apart; see `Statements.write_heads`."""
    return (now + timedelta(microseconds=number) for number in range(count))


def _sqlite_moment(now: datetime) -> str:
    """A time as Django's SQLite backend stores it: in UTC, without a zone."""
    return str(now.replace(tzinfo=None))


@lru_cache
def _sqlite_select(count: int) -> str:
    # CROSS fixes the order of the join. With `(owner_id, thread_id) IN (VALUES …)`, SQLite reads the whole table.
    values = ",".join(["(?,?)"] * count)
    return (
        f"WITH wanted(owner, name) AS (VALUES {values}) SELECT {THREAD_COLUMNS.format(fresh='?')} "
        "FROM wanted CROSS JOIN websocket_core_thread ON owner_id = owner AND thread_id = name"
    )


@lru_cache
def _sqlite_insert(count: int, actors: bool) -> str:
    # The time is the first parameter and the last column of every row. A bare `?` is the next parameter after it.
    columns, rest = (f"actor_id, {EVENT_COLUMNS}", "?,?,?,?,?,?1") if actors else (EVENT_COLUMNS, "?,?,?,?,?1")
    return f"INSERT INTO websocket_core_event ({columns}) VALUES (?2,{rest}){f',(?,{rest})' * (count - 1)}"


@lru_cache
def _sqlite_update(count: int) -> str:
    values = ",".join(["(?,?,?,?,?,?,?)"] * count)
    return (
        f"WITH head(id, last_seq, run, fence, bytes, rest, updated) AS (VALUES {values}) UPDATE websocket_core_thread "
        "SET last_seq = head.last_seq, active_run_id = head.run, fence = head.fence, bytes = head.bytes, "
        "uncounted_bytes = head.rest, updated_at = head.updated "
        "FROM head WHERE websocket_core_thread.id = head.id"
    )


@lru_cache
def _sqlite_move(count: int) -> str:
    values = ",".join(["(?,?,?,?)"] * count)
    return (
        f"WITH head(id, last_seq, bytes, rest) AS (VALUES {values}) UPDATE websocket_core_thread "
        "SET last_seq = head.last_seq, bytes = head.bytes, uncounted_bytes = head.rest "
        "FROM head WHERE websocket_core_thread.id = head.id"
    )


@lru_cache
def _sqlite_days(count: int) -> str:
    values = f"(?2,?1,0){',(?,?1,0)' * (count - 1)}"  # the day is the first parameter
    return f"INSERT INTO websocket_core_ownerday (owner_id, day, bytes) VALUES {values} {_ON_CONFLICT}"


# When a new day begins, the count restarts at 0. A process whose clock is behind counts towards the newer day.
_ON_CONFLICT = (
    "ON CONFLICT (owner_id) DO UPDATE SET "
    "bytes = CASE WHEN websocket_core_ownerday.day < excluded.day THEN 0 ELSE websocket_core_ownerday.bytes END, "
    "day = CASE WHEN websocket_core_ownerday.day < excluded.day THEN excluded.day ELSE websocket_core_ownerday.day END "
    "RETURNING owner_id, bytes"
)


class _PostgreSQL:
    """PostgreSQL accepts whole columns as arrays: one statement and one plan serve any number of rows."""

    commits_clearly = False

    def lock_threads(self, keys: Sequence[tuple[str, str]], fresh: datetime) -> list[tuple[Any, ...]]:
        users, threads = zip(*keys, strict=True)
        columns = THREAD_COLUMNS.format(fresh="%s")
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {columns} FROM websocket_core_thread "
                "WHERE (owner_id, thread_id) IN (SELECT * FROM unnest(%s::varchar[], %s::varchar[])) "
                "ORDER BY id FOR UPDATE",
                [fresh, list(users), list(threads)],
            )
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    def insert_events(self, rows: Sequence[EventRow], now: datetime, actors: Mapping[int, str]) -> None:
        values: Sequence[tuple[Any, ...]] = _with_actors(rows, actors) if actors else rows
        columns = [list(column) for column in zip(*values, strict=True)]
        named, types = ("actor_id, ", "%s::varchar[], ") if actors else ("", "")
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO websocket_core_event ({named}{EVENT_COLUMNS}) SELECT e.*, %s::timestamptz "
                f"FROM unnest({types}%s::bigint[], %s::bigint[], %s::varchar[], %s::varchar[], %s::text[]) AS e",
                [now, *columns],
            )

    def write_heads(self, rows: Sequence[HeadRow], now: datetime) -> None:
        columns = [list(column) for column in zip(*rows, strict=True)]
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE websocket_core_thread SET last_seq = head.last_seq, active_run_id = head.run, "
                "fence = head.fence, bytes = head.bytes, uncounted_bytes = head.rest, updated_at = head.updated "
                "FROM unnest(%s::bigint[], %s::bigint[], %s::varchar[], %s::bigint[], %s::bigint[], %s::bigint[], "
                "%s::timestamptz[]) AS head(id, last_seq, run, fence, bytes, rest, updated) "
                "WHERE websocket_core_thread.id = head.id",
                [*columns, list(_moments(now, len(rows)))],
            )

    def write_positions(self, rows: Sequence[Position]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE websocket_core_thread SET last_seq = head.last_seq, bytes = head.bytes, "
                "uncounted_bytes = head.rest FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[]) "
                "AS head(id, last_seq, bytes, rest) WHERE websocket_core_thread.id = head.id",
                [list(column) for column in zip(*rows, strict=True)],
            )

    def lock_days(self, owner_ids: Sequence[str], day: int) -> list[tuple[str, int]]:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO websocket_core_ownerday (owner_id, day, bytes) "
                f"SELECT name, %s, 0 FROM unnest(%s::varchar[]) AS name {_ON_CONFLICT}",
                [day, list(owner_ids)],
            )
            rows: list[tuple[str, int]] = cursor.fetchall()
            return rows

    def write_days(self, rows: Sequence[tuple[str, int]]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE websocket_core_ownerday SET bytes = today.bytes FROM unnest(%s::varchar[], %s::bigint[]) "
                "AS today(owner_id, bytes) WHERE websocket_core_ownerday.owner_id = today.owner_id",
                [list(column) for column in zip(*rows, strict=True)],
            )


_SQLITE: Statements = _SQLite()
_POSTGRESQL: Statements = _PostgreSQL()

"""The journal's epoch: a short text that changes when a backup is restored.

`(thread_id, seq)` identifies an event for ever, but only within one history. After a restore, the sequence numbers used
since the backup are assigned again, to other events. A client that continued from its old cursor would then mix two
histories. Answers that position a client therefore carry the epoch, and a client that returns with a different epoch is
told to start again.

`manage.py new_epoch` starts a new epoch. The journal also starts one by itself when it finds that the database is not
the one in which the epoch was recorded. PostgreSQL makes this visible: a restored dump lives in another cluster,
another database or other tables, and a server that recovers or takes over (and may lack the last commits) begins a new
timeline.
SQLite does not: copies of the current history and of an older one look alike.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from django.db import DatabaseError
from django.utils import timezone

from websocket_core.database import db
from websocket_core.database.home import atomic, connection
from websocket_core.ids import new_id
from websocket_core.models import JournalEpoch

log = logging.getLogger(__name__)

T = TypeVar("T")

_verified = threading.local()  # `.connection`: the last connection whose database was verified against the epoch


async def with_epoch(function: Callable[..., T], *args: Any) -> tuple[str, T]:
    """Return the epoch and the result of a reading function, which is valid in that epoch. Takes one database call."""
    epoch, found = await db.read(_with_epoch, function, args)
    return await db.write(settle) if epoch is None else epoch, found


async def look() -> str:
    """Return the epoch, after verifying that the database is still the one in which it was recorded."""
    epoch = await db.read(_read, True)
    return await db.write(settle) if epoch is None else epoch


def settle(*, anew: bool = False) -> str:
    """Return the epoch. Record a first one if there is none, and a new one if the database has changed.

    Args:
        anew: start a new epoch in any case.
    """
    first = JournalEpoch(epoch=new_id(), identity="{}", changed_at=timezone.now())
    with atomic():
        JournalEpoch.objects.bulk_create([first], ignore_conflicts=True)
        row = JournalEpoch.objects.select_for_update().get()
        known, here = _decoded(row.identity), identity()
        if anew or _differ(known, here):
            log.warning("the database is not that of epoch %s: a new epoch begins, and clients start again", row.epoch)
            row.epoch, row.changed_at = new_id(), timezone.now()
        row.identity = msgspec.json.encode(here if anew else known | here).decode()
        row.save()
    return row.epoch


def identity() -> dict[str, str]:
    """Values that distinguish this database from others. Empty if the database provides none."""
    if connection.vendor != "postgresql":
        return {}
    found = _row(
        "SELECT oid::text AS database, 'websocket_core_event'::regclass::oid::text AS events FROM pg_database "
        "WHERE datname = current_database()"
    )
    try:
        with atomic():
            found |= _row(
                "SELECT system_identifier::text AS cluster, CASE WHEN NOT pg_is_in_recovery() THEN "
                "substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END AS timeline FROM pg_control_system()"
            )
    except db.OUTAGE:
        raise
    except DatabaseError as error:
        log.debug("this PostgreSQL does not reveal its cluster identifier: %s", error)
    return found


def _row(statement: str) -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        names = [column[0] for column in cursor.description]
        return {name: value for name, value in zip(names, cursor.fetchone(), strict=True) if value is not None}


def _with_epoch(function: Callable[..., T], args: tuple[Any, ...]) -> tuple[str | None, T]:
    return _read(), function(*args)


def _read(verify: bool = False) -> str | None:
    """Return the epoch, or `None` if `settle` has to run in a thread that may write."""
    row = JournalEpoch.objects.values_list("epoch", "identity").first()
    if row is None:
        return None
    # A restore breaks connections, so every new connection is verified before its epoch is trusted.
    if verify or getattr(_verified, "connection", None) is not connection.connection:
        if _differ(known := _decoded(row[1]), here := identity()) or here.keys() - known.keys():
            return None
        _verified.connection = connection.connection
    return row[0]


def _differ(known: dict[str, str], here: dict[str, str]) -> bool:
    """Whether two identities contradict each other. A value that only one of them has is no contradiction."""
    return any(here[name] != known[name] for name in known.keys() & here.keys())


def _decoded(text: str) -> dict[str, str]:
    found: dict[str, str] = msgspec.json.decode(text)
    return found

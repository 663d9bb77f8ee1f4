"""The journal's epoch: a short text that changes when a backup is restored.

`(thread_id, seq)` names an event for ever, but only in one history. After a restore the numbers since the backup are
given out again, to other events, and a client that goes on from its cursor would keep a history that never was. So
answers that position a client carry the epoch, and a client that comes back with a different one is told to begin anew.

A new epoch comes from `manage.py new_epoch`, and by itself where the database shows that it is another one than the
epoch was recorded in. PostgreSQL does: a dump goes into another cluster, another database or other tables, and a
server that recovers or takes over (and may lack the last commits) begins a new timeline. A SQLite file tells nothing:
copies of the same history and of an older one look alike.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from websocket_core.database import db
from websocket_core.ids import new_id
from websocket_core.models import JournalEpoch

log = logging.getLogger(__name__)

T = TypeVar("T")

_verified = threading.local()  # `.connection`: the one whose database was found to be that of the epoch


async def with_epoch(function: Callable[..., T], *args: Any) -> tuple[str, T]:
    """What a reading function finds, with the epoch in which that is true. One call to a database thread."""
    epoch, found = await db.read(_with_epoch, function, args)
    return await db.write(settle) if epoch is None else epoch, found


async def look() -> str:
    """The epoch, after a look whether the database is still the one it was recorded in."""
    epoch = await db.read(_read, True)
    return await db.write(settle) if epoch is None else epoch


def settle(*, anew: bool = False) -> str:
    """The epoch, written down where there is none yet, and a new one where the database is another one.

    Args:
        anew: a new one whatever the database is.
    """
    first = JournalEpoch(epoch=new_id(), identity="{}", changed_at=timezone.now())
    with transaction.atomic():
        JournalEpoch.objects.bulk_create([first], ignore_conflicts=True)
        row = JournalEpoch.objects.select_for_update().get()
        known, here = _decoded(row.identity), identity()
        if anew or _differ(known, here):
            log.warning("this journal is another one than that of epoch %s: clients begin anew", row.epoch)
            row.epoch, row.changed_at = new_id(), timezone.now()
        row.identity = msgspec.json.encode(here if anew else known | here).decode()
        row.save()
    return row.epoch


def identity() -> dict[str, str]:
    """What distinguishes this database from others, as far as the database says so."""
    if connection.vendor != "postgresql":
        return {}
    found = _row(
        "SELECT oid::text AS database, 'websocket_core_event'::regclass::oid::text AS events FROM pg_database "
        "WHERE datname = current_database()"
    )
    try:
        with transaction.atomic():
            found |= _row(
                "SELECT system_identifier::text AS cluster, CASE WHEN NOT pg_is_in_recovery() THEN "
                "substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END AS timeline FROM pg_control_system()"
            )
    except db.OUTAGE:
        raise
    except DatabaseError as error:
        log.debug("this PostgreSQL does not tell its cluster: %s", error)
    return found


def _row(statement: str) -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        names = [column[0] for column in cursor.description]
        return {name: value for name, value in zip(names, cursor.fetchone(), strict=True) if value is not None}


def _with_epoch(function: Callable[..., T], args: tuple[Any, ...]) -> tuple[str | None, T]:
    return _read(), function(*args)


def _read(verify: bool = False) -> str | None:
    """The epoch. `None`: it has to be settled, in a thread that writes."""
    row = JournalEpoch.objects.values_list("epoch", "identity").first()
    if row is None:
        return None
    # A restore breaks connections: a new one is looked at before it is believed.
    if verify or getattr(_verified, "connection", None) is not connection.connection:
        if _differ(known := _decoded(row[1]), here := identity()) or here.keys() - known.keys():
            return None
        _verified.connection = connection.connection
    return row[0]


def _differ(known: dict[str, str], here: dict[str, str]) -> bool:
    """Whether two identities contradict each other; a part that one of them lacks is no contradiction."""
    return any(here[name] != known[name] for name in known.keys() & here.keys())


def _decoded(text: str) -> dict[str, str]:
    found: dict[str, str] = msgspec.json.decode(text)
    return found

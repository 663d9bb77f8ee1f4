"""Detects databases from before the first release, whose tables have different columns.

Their migrations have the same names, so Django would treat them as applied, and every query would fail with a missing
column. `migrate` refuses such a database instead, and `serve` logs what to do.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

TABLE, COLUMN = "websocket_core_thread", "owner_id"  # the table did not have this column before the first release


def remedy_for_old_layout(connection: BaseDatabaseWrapper) -> str | None:
    """What to do about a database with the old tables, or `None` for any other database.

    Raises:
        DatabaseError: the database cannot be reached.
    """
    with connection.cursor() as cursor:
        if TABLE not in connection.introspection.table_names(cursor):
            return None
        columns = {column.name for column in connection.introspection.get_table_description(cursor, TABLE)}
    if COLUMN in columns:
        return None
    name = connection.settings_dict["NAME"]
    way = (
        f"delete the file {name}" if connection.vendor == "sqlite" else f"drop the database {name} and create it again"
    )
    return (
        "This database was created before Netra's first release. Its tables have a different layout and cannot be "
        f"converted: {way} (its threads, runs and tokens are lost), then run manage.py migrate."
    )


def refuse_old_layout(*, using: str, **signal: Any) -> None:
    """Refuse to migrate a database with the old tables. Receives `pre_migrate`.

    Raises:
        CommandError: the database has the old tables.
    """
    if remedy := remedy_for_old_layout(connections[using]):
        raise CommandError(remedy)

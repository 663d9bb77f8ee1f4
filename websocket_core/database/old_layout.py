"""Databases from before the first release, whose tables have other columns under the same names of migrations.

Django would take the first migration for applied, and every query would fail with a missing column. `migrate` refuses
such a database instead, and `serve` says what is the matter.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

TABLE, COLUMN = "websocket_core_thread", "owner_id"  # what no database of that time has


def remedy_for_old_layout(connection: BaseDatabaseWrapper) -> str | None:
    """What to do about a database that cannot be used; `None` when it can be, or is empty.

    Raises:
        DatabaseError: it cannot be reached.
    """
    with connection.cursor() as cursor:
        if TABLE not in connection.introspection.table_names(cursor):
            return None
        columns = {column.name for column in connection.introspection.get_table_description(cursor, TABLE)}
    if COLUMN in columns:
        return None
    name = connection.settings_dict["NAME"]
    way = f"delete the file {name}" if connection.vendor == "sqlite" else f"drop the database {name} and create it anew"
    return (
        "This database was made before Netra's first release. Its tables are laid out differently and cannot be "
        f"converted: {way} (threads, runs and tokens in it are lost), then run manage.py migrate."
    )


def refuse_old_layout(*, using: str, **signal: Any) -> None:
    """Receiver of `pre_migrate`.

    Raises:
        CommandError: the database is one of those.
    """
    if remedy := remedy_for_old_layout(connections[using]):
        raise CommandError(remedy)

"""System checks of Netra's database and of the reach of the channel layer.

They also work if the database cannot be reached.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as CheckWarning
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, router

from websocket_core.checks.settings import AT_START
from websocket_core.conf import conf
from websocket_core.database.home import HomeRouter, migrate_command
from websocket_core.models import Thread

SQLITE = "django.db.backends.sqlite3"
POSTGRESQL = ("django.db.backends.postgresql", "django.contrib.gis.db.backends.postgis")
SQLITE_OPTIONS = '"OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;"}'
ONE_PROCESS_LAYERS = ("websocket_core.layers.InProcessChannelLayer", "channels.layers.InMemoryChannelLayer")


def _database() -> dict[str, Any]:
    found: dict[str, Any] = settings.DATABASES.get(conf.DATABASE, {})
    return found


@register(AT_START)
def alias_exists(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E006: NETRA_DATABASE must be an alias of DATABASES."""
    if conf.DATABASE in settings.DATABASES:
        return []
    aliases = ", ".join(map(repr, settings.DATABASES))
    return [
        Error(
            f"NETRA_DATABASE is {conf.DATABASE!r}, but DATABASES has no such alias.",
            hint=f"Use one of {aliases}.",
            id="websocket_core.E006",
        )
    ]


@register(AT_START)
def routers_agree(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E007: a router of the site sends Netra's tables to another database, and NETRA_DATABASE is not set."""
    if hasattr(settings, "NETRA_DATABASE"):
        return []
    for one in router.routers:
        ask = getattr(one, "db_for_write", None)
        elsewhere = None if isinstance(one, HomeRouter) or ask is None else ask(Thread)
        if elsewhere is not None and elsewhere != conf.DATABASE:
            name = type(one).__name__
            return [
                Error(
                    f"The router {name} of DATABASE_ROUTERS sends Netra's tables to {elsewhere!r}, but Netra uses "
                    f"{conf.DATABASE!r}.",
                    hint=f"Set NETRA_DATABASE = {elsewhere!r}. Netra then uses that database for everything.",
                    id="websocket_core.E007",
                )
            ]
    return []


@register()
def database_is_known(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E008, W003, W005: the kind of database, its driver, and the options of SQLite."""
    engine, found = _database().get("ENGINE", ""), list[CheckMessage]()
    if engine == SQLITE:
        options = _database().get("OPTIONS") or {}
        immediate = str(options.get("transaction_mode", "")).upper() == "IMMEDIATE"
        in_memory = ":memory:" in str(_database().get("NAME")) or "mode=memory" in str(_database().get("NAME"))
        wal = "journal_mode=wal" in str(options.get("init_command", "")).lower().replace(" ", "")
        if not immediate or not (wal or in_memory):
            found.append(
                CheckWarning(
                    f"The SQLite database {conf.DATABASE!r} refuses the site's own transactions while runs are "
                    "written ('database is locked').",
                    hint=f"Add to DATABASES[{conf.DATABASE!r}]: {SQLITE_OPTIONS}",
                    id="websocket_core.W003",
                )
            )
    elif engine in POSTGRESQL and find_spec("psycopg") is None and find_spec("psycopg2") is not None:
        found.append(
            CheckWarning(
                "PostgreSQL is used through psycopg2. Netra is not tested with it.",
                hint="Install psycopg 3 (django-netra[postgres]); Django then uses it for every PostgreSQL database.",
                id="websocket_core.W005",
            )
        )
    elif engine.startswith(("django.db.backends.mysql", "django.db.backends.oracle")):
        found.append(
            Error(
                f"The database {conf.DATABASE!r} is neither PostgreSQL nor SQLite.",
                hint="Add a separate database for Netra to DATABASES, and set NETRA_DATABASE to its alias.",
                id="websocket_core.E008",
            )
        )
    return found


@register()
def tables_are_there(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """W006: the tables are missing in the database that NETRA_DATABASE names. `migrate` itself skips this check."""
    if conf.DATABASE == DEFAULT_DB_ALIAS or conf.DATABASE not in settings.DATABASES or databases is not None:
        return []
    try:
        connection = connections[conf.DATABASE]
        with connection.cursor() as cursor:
            if Thread._meta.db_table in connection.introspection.table_names(cursor):
                return []
    except DatabaseError:
        return []  # system checks do not test whether the database can be reached
    return [
        CheckWarning(
            f"Netra's tables are not in the database {conf.DATABASE!r}, which NETRA_DATABASE names.",
            hint=f"Run {migrate_command()} websocket_core, then the same with netra_agents.",
            id="websocket_core.W006",
        )
    ]


@register()
def layer_reaches_other_processes(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """W004: the database supports several processes, but the channel layer does not."""
    return _one_process_layer() if _database().get("ENGINE") in POSTGRESQL else []


@register(Tags.security, deploy=True)
def layer_is_for_deployment(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """W004 with `check --deploy`, for any database."""
    return [] if _database().get("ENGINE") in POSTGRESQL else _one_process_layer()


def _one_process_layer() -> list[CheckMessage]:
    layers = getattr(settings, "CHANNEL_LAYERS", None) or {}
    if (layers.get("default") or {}).get("BACKEND") not in ONE_PROCESS_LAYERS:
        return []
    return [
        CheckWarning(
            "The channel layer works within one process only: browsers connected to another process see events late.",
            hint="Before you start a second process, set CHANNEL_LAYERS['default'] to "
            "channels_redis.pubsub.RedisPubSubChannelLayer.",
            id="websocket_core.W004",
        )
    ]

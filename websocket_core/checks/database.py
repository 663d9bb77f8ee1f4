"""System checks of the database that Netra's tables are in, and of what the channel layer reaches.

None of them needs a database that can be reached.
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
            f"NETRA_DATABASE is {conf.DATABASE!r}, and DATABASES has no such alias.",
            hint=f"Use one of {aliases}.",
            id="websocket_core.E006",
        )
    ]


@register(AT_START)
def routers_agree(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E007: a router of the site's sends Netra's tables to another database, and NETRA_DATABASE says nothing."""
    if hasattr(settings, "NETRA_DATABASE"):
        return []
    for one in router.routers:
        ask = getattr(one, "db_for_write", None)
        elsewhere = None if isinstance(one, HomeRouter) or ask is None else ask(Thread)
        if elsewhere is not None and elsewhere != conf.DATABASE:
            name = type(one).__name__
            return [
                Error(
                    f"The router {name} of DATABASE_ROUTERS sends Netra's tables to {elsewhere!r}, and Netra works in "
                    f"{conf.DATABASE!r}.",
                    hint=f"Set NETRA_DATABASE = {elsewhere!r}, which leads all of Netra's SQL there.",
                    id="websocket_core.E007",
                )
            ]
    return []


@register()
def database_is_known(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E008, W003, W005: the kind of database, its driver, and how SQLite is set up."""
    engine, found = _database().get("ENGINE", ""), list[CheckMessage]()
    if engine == SQLITE:
        options = _database().get("OPTIONS") or {}
        immediate = str(options.get("transaction_mode", "")).upper() == "IMMEDIATE"
        in_memory = ":memory:" in str(_database().get("NAME")) or "mode=memory" in str(_database().get("NAME"))
        wal = "journal_mode=wal" in str(options.get("init_command", "")).lower().replace(" ", "")
        if not immediate or not (wal or in_memory):
            found.append(
                CheckWarning(
                    f"The SQLite database {conf.DATABASE!r} locks out the site's own transactions while runs are "
                    "written ('database is locked').",
                    hint=f"Write into DATABASES[{conf.DATABASE!r}]: {SQLITE_OPTIONS}",
                    id="websocket_core.W003",
                )
            )
    elif engine in POSTGRESQL and find_spec("psycopg") is None and find_spec("psycopg2") is not None:
        found.append(
            CheckWarning(
                "PostgreSQL is used through psycopg2, which Netra is not tried with.",
                hint="Install psycopg 3 (django-netra[postgres]); Django then uses it for every PostgreSQL database.",
                id="websocket_core.W005",
            )
        )
    elif engine.startswith(("django.db.backends.mysql", "django.db.backends.oracle")):
        found.append(
            Error(
                f"The database {conf.DATABASE!r} is neither PostgreSQL nor SQLite.",
                hint="Give Netra a database of its own in DATABASES, and name its alias in NETRA_DATABASE.",
                id="websocket_core.E008",
            )
        )
    return found


@register()
def tables_are_there(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """W006: `migrate` has not made the tables where NETRA_DATABASE says. `migrate` itself is not told."""
    if conf.DATABASE == DEFAULT_DB_ALIAS or conf.DATABASE not in settings.DATABASES or databases is not None:
        return []
    try:
        connection = connections[conf.DATABASE]
        with connection.cursor() as cursor:
            if Thread._meta.db_table in connection.introspection.table_names(cursor):
                return []
    except DatabaseError:
        return []  # whether it can be reached is not for a system check to say
    return [
        CheckWarning(
            f"Netra's tables are not in the database {conf.DATABASE!r}, which NETRA_DATABASE names.",
            hint=f"Run {migrate_command()} websocket_core, then the same with netra_agents.",
            id="websocket_core.W006",
        )
    ]


@register()
def layer_reaches_other_processes(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """W004: a database server is there for several processes, and the layer is not."""
    return _one_process_layer() if _database().get("ENGINE") in POSTGRESQL else []


@register(Tags.security, deploy=True)
def layer_is_for_deployment(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """W004, wherever the tables are."""
    return [] if _database().get("ENGINE") in POSTGRESQL else _one_process_layer()


def _one_process_layer() -> list[CheckMessage]:
    layers = getattr(settings, "CHANNEL_LAYERS", None) or {}
    if (layers.get("default") or {}).get("BACKEND") not in ONE_PROCESS_LAYERS:
        return []
    return [
        CheckWarning(
            "The channel layer lives inside one process: browsers at another process see events late.",
            hint="Before you start a second process, set CHANNEL_LAYERS['default'] to "
            "channels_redis.pubsub.RedisPubSubChannelLayer.",
            id="websocket_core.W004",
        )
    ]

"""The database that Netra's tables are in: the alias `NETRA_DATABASE` of Django's `DATABASES`.

All SQL goes there, in whatever database the site keeps its own tables: statements through `connection`, transactions
through `atomic` and `on_commit`, the ORM and migrations by `HomeRouter`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, cast

from django.db import DEFAULT_DB_ALIAS, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from websocket_core.conf import conf

LABELS = frozenset({"websocket_core", "netra_agents", "netra"})  # of the apps whose tables these are


class _HomeConnection:
    """This thread's connection to it, as `django.db.connection` is to the default database."""

    def __getattr__(self, name: str) -> Any:
        return getattr(connections[conf.DATABASE], name)


connection = cast("BaseDatabaseWrapper", _HomeConnection())


def atomic() -> AbstractContextManager[Any]:
    """See `django.db.transaction.atomic`."""
    return transaction.atomic(using=conf.DATABASE)


def on_commit(function: Callable[[], object], *, robust: bool = False) -> None:
    """See `django.db.transaction.on_commit`."""
    transaction.on_commit(function, using=conf.DATABASE, robust=robust)


def migrate_command() -> str:
    """What makes the tables there."""
    return "manage.py migrate" if conf.DATABASE == DEFAULT_DB_ALIAS else f"manage.py migrate --database={conf.DATABASE}"


class HomeRouter:
    """Leads the ORM and migrations there, for Netra's own models alone; it has no opinion on others."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        """Not a replica either: what was just written has to be seen."""
        return conf.DATABASE if model._meta.app_label in LABELS else None

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        """Netra's tables are nowhere else."""
        return db == conf.DATABASE if app_label in LABELS else None


def lead_home() -> None:
    """Let Django ask `HomeRouter` before the site's own routers, which may answer for every model there is."""
    if not any(isinstance(one, HomeRouter) for one in router.routers):
        router.routers.insert(0, HomeRouter())

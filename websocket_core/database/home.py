"""Directs all of Netra's SQL to its database, which has the alias `NETRA_DATABASE` in Django's `DATABASES`.

The site's own tables may be in another database. Statements use `connection`, and transactions use `atomic` and
`on_commit`. `HomeRouter` directs the ORM and migrations.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, cast

from django.db import DEFAULT_DB_ALIAS, connections, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from websocket_core.conf import conf

LABELS = frozenset({"websocket_core", "netra_agents", "netra"})  # the labels of Netra's apps


class _HomeConnection:
    """This thread's connection to Netra's database, like `django.db.connection` for the default database."""

    def __getattr__(self, name: str) -> Any:
        return getattr(connections[conf.DATABASE], name)


connection = cast("BaseDatabaseWrapper", _HomeConnection())


def atomic() -> AbstractContextManager[Any]:
    """The same as `django.db.transaction.atomic`, for Netra's database."""
    return transaction.atomic(using=conf.DATABASE)


def on_commit(function: Callable[[], object], *, robust: bool = False) -> None:
    """The same as `django.db.transaction.on_commit`, for Netra's database."""
    transaction.on_commit(function, using=conf.DATABASE, robust=robust)


def migrate_command() -> str:
    """The command that creates the tables in Netra's database."""
    return "manage.py migrate" if conf.DATABASE == DEFAULT_DB_ALIAS else f"manage.py migrate --database={conf.DATABASE}"


class HomeRouter:
    """Directs the ORM and migrations of Netra's models to Netra's database. Ignores other models."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        """Netra's database, never a replica, because reads must see what was just written."""
        return conf.DATABASE if model._meta.app_label in LABELS else None

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        """Allow Netra's tables only in Netra's database."""
        return db == conf.DATABASE if app_label in LABELS else None


def lead_home() -> None:
    """Add `HomeRouter` before the site's own routers, because those may answer for every model."""
    if not any(isinstance(one, HomeRouter) for one in router.routers):
        router.routers.insert(0, HomeRouter())

"""Runs a test on each kind of database: the configured one (SQLite by default), and PostgreSQL from its package."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, connections

from netra.project.configuration.database import database
from websocket_core.database import db

NOT_OURS = ("contenttypes", "auth.permission", "auth.group")


@contextmanager
def use_database(url: str) -> Iterator[None]:
    """Switch this thread, and all database threads started from now on, to another database."""
    settings = connections.settings
    configured, before = settings["default"], connections["default"]
    changed = database(url, default_file=Path("unused"), test_file=Path("unused"), pool_size=10)
    _close_pool(before)  # Django has one pool for each alias: the other database would be given this one's connections
    settings["default"] = connections.configure_settings({"default": changed})["default"]
    connections["default"] = connections.create_connection("default")
    try:
        yield
    finally:
        db.close_all()
        connection.close()
        _close_pool(connections["default"])
        settings["default"] = configured
        connections["default"] = before


def _close_pool(wrapper: Any) -> None:
    close_pool = getattr(wrapper, "close_pool", None)
    if close_pool is not None:
        close_pool()


@pytest.fixture(scope="session")
def migrated_postgres(request: pytest.FixtureRequest, django_db_blocker: Any) -> str:
    """URL of a migrated PostgreSQL database. If none can be started, the test is skipped, but fails in CI."""
    try:
        server = request.getfixturevalue("postgres")
    except Exception as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no PostgreSQL can be started here: {error}")
    url: str = server.url(server.database())
    with django_db_blocker.unblock(), use_database(url):
        call_command("migrate", interactive=False, verbosity=0)
    return url


@pytest.fixture(
    params=[
        pytest.param("configured", marks=pytest.mark.django_db(transaction=True)),
        pytest.param("postgresql", marks=pytest.mark.postgres),
    ]
)
def each_database(request: pytest.FixtureRequest, django_db_blocker: Any) -> Iterator[str]:
    """Run the test on each kind of database, which is empty before and after. The value is the vendor."""
    if request.param == "configured":
        yield connection.vendor
        return
    with django_db_blocker.unblock(), use_database(request.getfixturevalue("migrated_postgres")):
        yield connection.vendor
        db.close_all()
        _empty()


def _empty() -> None:
    tables = [
        model._meta.db_table
        for model in apps.get_models()
        if model._meta.managed and not model._meta.label_lower.startswith(NOT_OURS)
    ]
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(map(connection.ops.quote_name, tables))} RESTART IDENTITY CASCADE")

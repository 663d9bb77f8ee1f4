"""Fixtures for tests that run a gateway in their own event loop."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from netra.agents.registry import registered as registry
from netra.testing.database import DatabaseFaults, failing_database
from netra.testing.ending import end_process_state
from test_framework import quiet
from test_framework.databases import each_database, migrated_postgres
from test_framework.gateway import join, make
from websocket_core.gateway import get_gateway
from websocket_core.journal import statements as journal_sql
from websocket_core.process.lifecycle import lifecycle

__all__ = [
    "agents_discovered",
    "each_database",
    "faults",
    "join",
    "make",
    "migrated_postgres",
    "nothing_left_behind",
    "quiet_loop",
]


@pytest.fixture(scope="session", autouse=True)
def agents_discovered() -> None:
    """Discover Netra's own agents before any test restores the catalogue to its earlier state."""
    registry.discover()


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> None:
    """Ensure that no task, thread, database connection or journal outlives its test.

    Fixtures are torn down in the reverse order of their setup. The database is set up first, so that it is emptied when
    nothing uses it any more; then the process; then the event loop, whose teardown needs both.
    """
    for name in ("_django_db_marker", "transactional_db"):
        if name in request.fixturenames:
            request.getfixturevalue(name)
    request.getfixturevalue("quiet_process")
    if inspect.iscoroutinefunction(getattr(request.node, "function", None)):
        request.getfixturevalue("quiet_loop")


@pytest.fixture
def quiet_process() -> Iterator[None]:
    """Stop everything that belongs to the process."""
    yield
    end_process_state()


@pytest.fixture
async def quiet_loop(quiet_process: None) -> AsyncIterator[None]:
    """Stop everything in the test's event loop, before the database is emptied and the loop is closed.

    As in a server, background work starts with the first socket or request.
    """
    gateway = get_gateway()
    gateway.serves = True
    lifecycle.join(gateway)
    yield
    await quiet.end_loop()


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Iterator[DatabaseFaults]:
    """Database faults that a test can inject. Initially there are none."""
    # On SQLite, too, every commit may be an unclear one, as it may over a network.
    monkeypatch.setattr(journal_sql._SQLite, "commits_clearly", False)
    with failing_database() as found:
        yield found


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Mark every test with the category of its folder, for `-m` and the unified runner."""
    for item in items:
        folders = {parent.name for parent in item.path.parents}
        for category in ("unit", "integration", "e2e"):
            if category in folders:
                item.add_marker(category)
        if "websocket_core" in folders:
            item.add_marker("websocket")

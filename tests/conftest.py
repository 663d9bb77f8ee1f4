"""Configuration of all tests: real servers on demand, fast password hashing, reproducible property tests."""

import os
import sys
from typing import Any

import hypothesis
import pytest
from django.conf import settings

from test_framework.scheduling import ByScope, scope_of

pytest_plugins = ["netra.testing.plugin", "servers.fixtures", "test_framework.fixtures"]

hypothesis.settings.register_profile("default", deadline=None)  # a slow machine is not a counterexample
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") == "true" else "default")

# Fixtures that mark the tests that use them (`-m "not postgres"` deselects those tests).
MARKING_FIXTURES = {
    "browser": {"page", "context", "new_context", "browser", "playwright"},
    "postgres": {"postgres", "postgres_url", "private_postgres"},
    "redis": {"redis_url", "private_valkey"},
}


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Hash passwords fast, skip disk syncs, and leave `import agents` to the OpenAI Agents SDK.

    Real hashing takes half a second per user, and Django tests it. The database of a test need not survive a power
    failure, and syncing each commit would take some milliseconds.

    The checkout's root goes to the end of `sys.path`, as in `manage.py`: its folder `agents` is `netra.agents`.
    """
    root = str(settings.BASE_DIR)
    sys.path[:] = [*(place for place in sys.path if place not in ("", root)), root]
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        database["OPTIONS"]["init_command"] += " PRAGMA synchronous=OFF;"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByScope:
    """Keep tests that share servers in one process."""
    return ByScope(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the servers they need, and run browser tests last.

    Playwright's event loop stays running in the main thread from its first use to the end of the session, where
    asyncio tests and Django's database would find it in their way. So a scope that has to stay in one process
    (`test_framework.scheduling`) and has a browser test comes just before the browser tests. Dealt out to several
    processes, the order holds in each of them with `--no-loadscope-reorder`.
    """
    for item in items:
        for marker, fixtures in MARKING_FIXTURES.items():
            if fixtures & set(getattr(item, "fixturenames", ())):
                item.add_marker(marker)
    late = {scope_of(item.nodeid) for item in items if _is_browser_test(item)}
    items.sort(key=lambda item: _place(item, late))


def _place(item: pytest.Item, late: set[str]) -> tuple[int, bool]:
    """The position of a scope: 2 for browser tests, 1 for scopes that come just before them, 0 for all others."""
    scope = scope_of(item.nodeid)
    if scope not in late:
        return 0, False
    return 2 if scope.endswith("in a browser") else 1, _is_browser_test(item)


def _is_browser_test(item: pytest.Item) -> bool:
    return item.get_closest_marker("browser") is not None

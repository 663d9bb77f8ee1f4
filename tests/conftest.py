"""What every test has: real servers on demand, fast password hashing, reproducible property tests."""

import os

import hypothesis
import pytest
from django.conf import settings

pytest_plugins = ["servers.fixtures", "test_framework.fixtures"]

hypothesis.settings.register_profile("default", deadline=None)  # a busy machine is no counterexample
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") == "true" else "default")

# Fixtures whose use marks a test (`-m "not postgres"` leaves its tests out).
MARKING_FIXTURES = {
    "browser": {"page", "context", "new_context", "browser", "playwright"},
    "postgres": {"postgres", "postgres_url", "private_postgres"},
    "redis": {"redis_url", "private_valkey"},
}


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Hash passwords fast, and do not wait for the disk.

    Real hashing costs half a second a user and is Django's to test; the database of a test need not survive a power
    cut, and each commit of its file would cost some milliseconds.
    """
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        database["OPTIONS"]["init_command"] += " PRAGMA synchronous=OFF;"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by what they need, and run browser tests last.

    Playwright's event loop stays running in the main thread from its first use to the end of the session, where
    asyncio tests and Django's database would find it in their way. Beside each other, `--dist load` keeps that order in
    every process; the other ways of dealing tests out do not.
    """
    for item in items:
        for marker, fixtures in MARKING_FIXTURES.items():
            if fixtures & set(getattr(item, "fixturenames", ())):
                item.add_marker(marker)
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)

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


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks at the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by what they need, and run browser tests last.

    Playwright's event loop stays running in the main thread from its first use to the end of the session, where
    asyncio tests and Django's database would find it in their way. So a group that has to stay in one process
    (`xdist_group`) and has a browser test comes just before the browser tests. Dealt out to several processes, the
    order holds in each of them with `--dist loadgroup --no-loadscope-reorder`.
    """
    for item in items:
        for marker, fixtures in MARKING_FIXTURES.items():
            if fixtures & set(getattr(item, "fixturenames", ())):
                item.add_marker(marker)
    late_groups = {_group(item) for item in items if _is_browser_test(item)} - {None}
    items.sort(key=lambda item: _place(item, late_groups))
    for item in items:
        if _group(item) is None:  # a file's tests stay together: what its fixtures start is started once
            kind = " in a browser" if _is_browser_test(item) else ""
            item.add_marker(pytest.mark.xdist_group(f"{item.path.stem}{kind}"))


def _place(item: pytest.Item, late_groups: set[str | None]) -> tuple[int, bool]:
    if _group(item) in late_groups:
        return 1, _is_browser_test(item)
    return (2, True) if _is_browser_test(item) else (0, False)


def _is_browser_test(item: pytest.Item) -> bool:
    return item.get_closest_marker("browser") is not None


def _group(item: pytest.Item) -> str | None:
    marker = item.get_closest_marker("xdist_group")
    if marker is None:
        return None
    return str(marker.args[0] if marker.args else marker.kwargs.get("name", "default"))

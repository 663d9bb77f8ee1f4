"""What every test has: real servers on demand, fast password hashing, reproducible property tests."""

import os

import hypothesis
import pytest
from django.conf import settings

pytest_plugins = ["servers.fixtures"]

hypothesis.settings.register_profile("default", deadline=None)  # a busy machine is no counterexample
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") == "true" else "default")

# Fixtures of pytest-playwright whose use makes a test a browser test.
BROWSER_FIXTURES = frozenset({"page", "context", "new_context", "browser", "playwright"})


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    """Hash passwords fast: real hashing costs half a second a user and is Django's to test."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark browser tests and run them last.

    Playwright's event loop stays running in the main thread from its first use to the end of the session, where
    asyncio tests and Django's database would find it in their way.
    """
    for item in items:
        if BROWSER_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.browser)
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)

"""Fixtures of tests that run a gateway in their own event loop."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from test_framework import quiet


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """After every test: no task, no thread, no database connection, no journal of it is left."""
    if inspect.iscoroutinefunction(getattr(request.node, "function", None)):
        request.getfixturevalue("quiet_loop")
    yield
    quiet.end_process_state()


@pytest.fixture
async def quiet_loop() -> AsyncIterator[None]:
    """Ends what lives in the test's event loop, before the database is emptied and the loop closed."""
    yield
    await quiet.end_loop()


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Mark every test with the category that its folder says, for `-m` and the unified runner."""
    for item in items:
        folders = {parent.name for parent in item.path.parents}
        for category in ("unit", "integration", "e2e"):
            if category in folders:
                item.add_marker(category)
        if "websocket_core" in folders:
            item.add_marker("websocket")

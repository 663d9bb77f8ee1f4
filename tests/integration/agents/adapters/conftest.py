"""Runs through the real runtime."""

from collections.abc import AsyncIterator

import pytest

from integration.agents.adapters.runs import Runs
from websocket_core import db


@pytest.fixture
async def runs(transactional_db: None, settings) -> AsyncIterator[Runs]:
    """The runs of a test user. Whatever runs at the end of the test is ended."""
    settings.NETRA_DEMO_PACE = 0.0
    found = Runs()
    yield found
    await found.leave()
    db.close_all()

"""Runs through the real runtime."""

import pytest

from integration.agents.adapters.runs import Runs


@pytest.fixture
def runs(transactional_db: None, settings) -> Runs:
    """The runs of a test user."""
    settings.NETRA_DEMO_PACE = 0.0
    return Runs()

"""The pytest plugin: markers, and the fixtures in every project that has Netra in `INSTALLED_APPS`.

pytest imports this module wherever the distribution is installed, so it costs nothing and needs no Django.
"""

from __future__ import annotations

import sys
from importlib import import_module

import pytest

MARKERS = (
    "netra_drop_socket(after): cut each client's socket after so many events; the client comes back, and resumes",
    "netra_kill_worker(in_tool=None): the process that runs the agent dies in its next tool call, or in the one named",
    "netra_bell(doubled=False, delayed=0, lost=False): what happens to the news between processes; delayed in seconds",
    "netra_database_away(after, seconds): Netra's database is away for so long, after so many events of a client",
    "netra_refuse_model(how='unavailable'): models do not answer; 'unavailable', 'rate_limited' or 'refused'",
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Add the fixtures, where Django is set up and Netra is one of its apps."""
    django = sys.modules.get("django.apps")
    if django is not None and django.apps.ready and django.apps.is_installed("netra.agents"):
        session.config.pluginmanager.register(import_module("netra.testing.fixtures"), "netra-fixtures")

"""Decides which tests share a process when several processes run tests: those of a file, whose fixtures start shared
servers, and those of some folders.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

# Folders whose files share an installation of several processes, which takes long to start.
TOGETHER = {"tests/e2e/websocket_core/": "staging", "tests/integration/workers/": "workers"}
BROWSER = "[chromium"  # pytest-playwright's parameter is in the name of every test with a page


def scope_of(nodeid: str) -> str:
    """The scope whose tests share a process. A file's browser tests have their own scope: they must run last."""
    for folder, scope in TOGETHER.items():
        if nodeid.startswith(folder):
            return scope
    file = nodeid.partition("::")[0]
    return f"{file} in a browser" if BROWSER in nodeid else file


class ByScope(LoadScopeScheduling):
    """Assigns whole scopes to processes, in the order of the tests.

    Used instead of `--dist loadgroup`, which with pytest 9 assigns single tests, marked or not.
    """

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)

"""Which tests stay together in one process when several run side by side: those of a file, whose fixtures start servers
that they share; of some folders all.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

# Folders whose files share an installation of several processes, which takes long to start.
TOGETHER = {"tests/e2e/websocket_core/": "staging", "tests/integration/workers/": "workers"}
BROWSER = "[chromium"  # pytest-playwright's parameter is in the name of every test with a page


def scope_of(nodeid: str) -> str:
    """The name of what a test stays together with. A file's browser tests are apart: they have to come last."""
    for folder, scope in TOGETHER.items():
        if nodeid.startswith(folder):
            return scope
    file = nodeid.partition("::")[0]
    return f"{file} in a browser" if BROWSER in nodeid else file


class ByScope(LoadScopeScheduling):
    """Deals out whole scopes, in the order of the tests.

    Instead of `--dist loadgroup`, which deals out single tests with pytest 9, marked or not.
    """

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)

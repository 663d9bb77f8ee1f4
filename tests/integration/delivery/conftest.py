"""A server for load tests, and users with tokens."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from servers.fixtures import StartServer
from servers.netra import Installation, Kind, NetraServer

LOAD = {
    "NETRA_AGENT_MODULES": "tests.integration.delivery.load_agents",
    "LOG_LEVEL": "WARNING",
    # The tests are one user, or come as many at once as no people do.
    "NETRA_ACTIONS_BURST": "100000",
    "NETRA_STARTS_PER_MINUTE": "100000",
    "NETRA_MAX_CONNECTIONS_PER_USER": "100000",
    "NETRA_RUNS_PER_USER": "100000",
}

StartLoadServer = Callable[..., NetraServer]

_ISSUE = """
from websocket_core.auth.tokens import issue
for user in {users!r}:
    print(issue(user, None)[0])
"""


@pytest.fixture
def start_load_server(start_server: StartServer) -> StartLoadServer:
    """Function that starts a server with the agents of the load tests; keywords are settings of its environment."""

    def start(kind: Kind = "serve", *, installation: Installation | None = None, **env: Any) -> NetraServer:
        settings = LOAD | {name: str(value) for name, value in env.items()}
        return start_server(kind, env=settings, installation=installation)

    return start


def tokens(installation: Installation, users: Sequence[str]) -> list[str]:
    """A bearer token for each of the users, made by one command."""
    return installation.manage("shell", "--no-imports", "-c", _ISSUE.format(users=list(users))).split()

"""One real server for all tests of the JavaScript client."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from servers.fixtures import TEST_KEY
from servers.netra import Installation, NetraServer

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def client_server(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[NetraServer]:
    """A server that has the agents of these tests."""
    folder = tmp_path_factory.mktemp("client") / "installation"
    shutil.copytree(migrated_sqlite, folder)
    env = {"SECRET_KEY": TEST_KEY, "NETRA_AGENT_MODULES": "agents_for_client", "PYTHONPATH": str(HERE)}
    server = Installation(folder, env).server()
    server.start()
    yield server
    server.end()


def tokens(installation: Installation, users: list[str]) -> list[str]:
    """Bearer tokens of these users, in one go."""
    return installation.manage("shell", "--no-imports", "-c", _ISSUE.format(users=users)).split()


_ISSUE = """
from websocket_core.auth import tokens
for user in {users!r}:
    print(tokens.issue(user)[0])
"""

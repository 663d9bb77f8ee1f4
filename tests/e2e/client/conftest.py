"""One real server for all tests of the JavaScript client."""

import json
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


def tokens(installation: Installation, seconds: list[tuple[str, int]]) -> list[str]:
    """Bearer tokens, of these users and valid for so long, in one go."""
    return json.loads(installation.manage("shell", "--no-imports", "-c", _ISSUE.format(wanted=seconds)))


_ISSUE = """
import json
from datetime import timedelta
from websocket_core.auth import tokens
print(json.dumps([tokens.issue(user, timedelta(seconds=seconds))[0] for user, seconds in {wanted!r}]))
"""

"""The JavaScript client in Node, against a real server: every test of `client.test.mjs`, which Node runs at once."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.client.conftest import tokens
from servers.netra import ROOT, NetraServer
from unit.client.test_javascript import node, numbers_of

pytestmark = pytest.mark.timeout(600)  # fifty tests in one
HERE = Path(__file__).parent


def test_client__against_a_real_server(client_server: NetraServer) -> None:
    """Every promise of `netra-client.d.ts` that needs a server and a network to break."""
    lasting = tokens(client_server.installation, [f"user-{number}" for number in range(80)])
    program = node()
    flags = ["--experimental-websocket"] if numbers_of(program) < (22,) else []
    result = subprocess.run(
        [program, *flags, "--test", "--test-reporter=tap", str(HERE / "client.test.mjs")],
        env=client_server.installation.env
        | {
            "NETRA_TEST_URL": client_server.ws_url,
            "NETRA_TEST_TOKENS": json.dumps(lasting),
            "NETRA_TEST_MANAGE": json.dumps([sys.executable, str(ROOT / "manage.py")]),
        },
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    count = re.search(r"^# tests (\d+)$", result.stdout, re.MULTILINE)
    assert count, result.stdout
    assert int(count[1]) > 30, result.stdout

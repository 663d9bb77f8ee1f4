"""Staging for the tests of this folder: `NETRA_STAGING_URL` and `NETRA_STAGING_TOKEN`, else one started here."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from security.issuer import Issuer
from servers.netra import ROOT, clean_environment
from servers.process import ServerProcess


class Staging:
    """A deployment to test.

    Attributes:
        url: of the load balancer, http(s).
        token: a bearer token of the user `user`.
        folder: where a local one keeps everything; None for somebody else's deployment.
        issuer: the OpenID Connect issuer that a local one knows as `corp`.
    """

    def __init__(self, url: str, token: str, folder: Path | None = None, issuer: Issuer | None = None) -> None:
        self.url, self.token, self.folder, self.issuer = url.rstrip("/"), token, folder, issuer

    @property
    def ws_url(self) -> str:
        return self.url.replace("http", "ws", 1) + "/ws"

    def get(self, path: str, token: str | None = None) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(self.url + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a local staging's own processes."""
        assert self.folder is not None
        done = subprocess.run(
            ["sh", "-c", f". {self.folder}/env; env -0"], env=clean_environment({}), capture_output=True, check=True
        )
        return dict(pair.split("=", 1) for pair in done.stdout.decode().split("\0") if "=" in pair)

    def manage(self, *arguments: str) -> str:
        """Run `manage.py` in a local staging's environment: a process of its own, beside servers and workers."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def token_of(self, user_id: str) -> str:
        return self.manage("issue_token", user_id).strip()

    def control(self, *arguments: str) -> str:
        """Supervisor's control program: `stop server-1`, `signal KILL worker-1`, `status`."""
        supervisorctl = Path(sys.executable).parent / "supervisorctl"
        done = subprocess.run(
            [supervisorctl, "-s", f"unix://{self.folder}/supervisor.sock", *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.stdout + done.stderr


@pytest.fixture(scope="session")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staging]:
    """The deployment to test."""
    given = os.environ.get("NETRA_STAGING_URL")
    if given:
        yield Staging(given, os.environ["NETRA_STAGING_TOKEN"])
        return
    folder = tmp_path_factory.mktemp("staging") / "data"
    issuer = Issuer()
    issuer.start()
    env = {
        "NETRA_STAGING_DIR": str(folder),
        "NETRA_AGENT_MODULES": "tests.integration.faults.fault_agents",
        "NETRA_OIDC_ISSUERS": json.dumps({"corp": issuer.setting()}),
        "NETRA_LEASE_SECONDS": "6",
    }

    def ready() -> bool:
        try:
            url = (folder / "url").read_text()
            with urllib.request.urlopen(f"{url}/readyz", timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    process = ServerProcess(
        [sys.executable, "deploy/staging/start.py"],
        log=folder.parent / "staging.log",
        is_ready=ready,
        env=clean_environment(env),
        cwd=ROOT,
    )
    process.start_seconds = 240.0
    process.start()
    yield Staging((folder / "url").read_text(), (folder / "token").read_text(), folder, issuer)
    process.terminate(60)
    issuer.stop()


@pytest.fixture
def local_staging(staging: Staging) -> Staging:
    """A staging whose processes and database the test may touch."""
    if staging.folder is None:
        pytest.skip("this test stops processes; it runs against a staging of its own only")
    return staging

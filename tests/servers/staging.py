"""Staging as `make staging` starts it, for tests: its own folder, its own ports, and a hand on every process."""

import asyncio
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from security.issuer import Issuer
from servers.netra import ROOT, clean_environment
from servers.process import ServerProcess

START_SECONDS = 240.0


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
        """The environment of a local staging's processes."""
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

    def tokens_of(self, users: Sequence[str]) -> list[str]:
        """Issue tokens for many users with one command."""
        return self.manage("shell", "--no-imports", "-c", _ISSUE.format(users=list(users))).split()

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

    async def operate(self, *arguments: str) -> str:
        """Run `control` from a coroutine."""
        return await asyncio.to_thread(self.control, *arguments)


_ISSUE = """
from websocket_core.auth import tokens
for user in {users!r}:
    print(tokens.issue(user, None, "chaos")[0])
"""


def is_ready(folder: Path) -> bool:
    """Whether the load balancer of the staging in this folder answers."""
    try:
        url = (folder / "url").read_text()
        with urllib.request.urlopen(f"{url}/readyz", timeout=5) as response:
            return bool(response.status == 200)
    except (OSError, ValueError):
        return False


def local_staging(folder: Path, env: Mapping[str, str], *options: str) -> ServerProcess:
    """A local staging in this folder, not started yet."""
    process = ServerProcess(
        [sys.executable, "deploy/staging/start.py", *options],
        log=folder.parent / f"{folder.name}.log",
        is_ready=lambda: is_ready(folder),
        env=clean_environment({"NETRA_STAGING_DIR": str(folder), **env}),
        cwd=ROOT,
    )
    process.start_seconds = START_SECONDS
    return process


def opened(folder: Path, issuer: Issuer | None = None) -> Staging:
    """The staging that runs in this folder."""
    return Staging((folder / "url").read_text(), (folder / "token").read_text(), folder, issuer)


def given() -> Staging | None:
    """The deployment that the environment names, or `None`."""
    url = os.environ.get("NETRA_STAGING_URL")
    if not url:
        return None
    token = os.environ.get("NETRA_STAGING_TOKEN")
    assert token, "NETRA_STAGING_URL is set: NETRA_STAGING_TOKEN has to be a bearer token of a user there"
    return Staging(url, token)

"""A real Netra server, or another of its programs, as a process of its own."""

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from servers.process import ServerProcess, free_port

ROOT = Path(__file__).resolve().parent.parent.parent
COMMAND_SECONDS = 120.0
Kind = Literal["serve", "daphne"]
# Environment variables of an installation. A developer's own must not reach the servers under test.
FOREIGN = (
    *(
        "NETRA_",
        "DATABASE_URL",
        "REDIS_URL",
        "SECRET_KEY",
        "DEBUG",
        "ALLOWED_HOSTS",
        "LOG_",
        "OTEL_",
        "PORT",
        "DJANGO_",
    ),
)
COSTLY = ("PYTHONDONTWRITEBYTECODE",)  # without compiled modules a process takes more than twice as long to start


def clean_environment(changes: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without any setting of Netra, and with `changes`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN + COSTLY)}
    return {**kept, "PYTHONUNBUFFERED": "1", "DJANGO_SETTINGS_MODULE": "netra.settings", **changes}


class Installation:
    """One database and one secret key that any number of servers and commands work on.

    Args:
        folder: the data directory: the SQLite file, when there is no `DATABASE_URL` in `env`, and the logs.
        env: settings, as in a deployment's environment.
    """

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.folder = folder
        self.env = clean_environment({"NETRA_DATA_DIR": str(folder), **env})
        self._started = 0

    def manage(self, *arguments: str, env: Mapping[str, str] | None = None, check: bool = True) -> str:
        """Run `manage.py` with these arguments; return what it printed on standard output.

        Raises:
            AssertionError: it failed, unless `check` is off.
        """
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.env | dict(env or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"manage.py {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}"
        return done.stdout

    def token(self, user_id: str, *options: str) -> str:
        """Return a bearer token of this user, who needs no account."""
        return self.manage("issue_token", user_id, *options).strip()

    def session(self, username: str, *, password: str = "", admin: bool = False) -> str:
        """Make the user where missing and log in; return the value of the session cookie."""
        return self.manage("shell", "--no-imports", "-c", _LOG_IN.format(u=username, p=password, a=admin)).strip()

    def server(self, kind: Kind = "serve", env: Mapping[str, str] | None = None) -> "NetraServer":
        """Return a server of this installation, not started yet."""
        self._started += 1
        return NetraServer(self, kind, self.env | dict(env or {}), self.folder / f"server-{self._started}.log")

    def worker(self, *arguments: str, env: Mapping[str, str] | None = None) -> ServerProcess:
        """Return `manage.py worker`, not started yet; it counts as ready as soon as it runs."""
        self._started += 1
        return ServerProcess(
            [sys.executable, "manage.py", "worker", *arguments],
            log=self.folder / f"worker-{self._started}.log",
            is_ready=lambda: True,
            env=self.env | dict(env or {}),
            cwd=ROOT,
        )


class NetraServer(ServerProcess):
    """`manage.py serve`, or plain `daphne netra.asgi:application`, on a free port of the loopback interface."""

    def __init__(self, installation: Installation, kind: Kind, env: Mapping[str, str], log: Path) -> None:
        self.installation = installation
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.ws_url = f"ws://127.0.0.1:{self.port}/ws"
        port = str(self.port)
        command = {
            "serve": [sys.executable, "manage.py", "serve", "--host", "127.0.0.1", "--port", port],
            "daphne": [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", port, "netra.asgi:application"],
        }[kind]
        super().__init__(command, log=log, is_ready=self._answers, env=env, cwd=ROOT)

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/healthz", timeout=5).close()
        except urllib.error.HTTPError:
            return True  # any answer is enough; tests of /healthz check its content
        except OSError:
            return False
        return True


_LOG_IN = """
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
user = User.objects.filter(username={u!r}).first()
if user is None:
    user = User.objects.create_user({u!r}, password={p!r} or None, is_staff={a!r}, is_superuser={a!r})
session = import_module(settings.SESSION_ENGINE).SessionStore()
session[SESSION_KEY] = str(user.pk)
session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
session[HASH_SESSION_KEY] = user.get_session_auth_hash()
session.save()
print(session.session_key)
"""

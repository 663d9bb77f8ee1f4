"""Fixtures for the real servers. The environment's `REDIS_URL` and `DATABASE_URL` replace the shared servers.

Shared servers run for the whole test run and must not be stopped. `private_*` servers belong to one test, which may
stop, kill and restart them.
"""

import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from servers import chromium
from servers.foreign_site import ForeignSite
from servers.netra import Installation, Kind, NetraServer
from servers.postgres import PostgresServer
from servers.valkey import ValkeyServer

# The key of test servers only, long enough for every signature algorithm.
TEST_KEY = "tests-" + "k" * 50


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a Valkey that all tests share; every installation has its own `NETRA_REDIS_PREFIX`."""
    if given := os.environ.get("REDIS_URL"):
        yield given
        return
    server = ValkeyServer(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server.url
    server.kill()


@pytest.fixture
def private_valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A running Valkey for this test only, which may kill and restart it."""
    folder = tmp_path / "valkey"
    folder.mkdir()
    server = ValkeyServer(folder)
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A PostgreSQL cluster that all tests share; each creates its own database in it (`postgres_url`)."""
    server = PostgresServer(tmp_path_factory.mktemp("postgres"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """`DATABASE_URL` of an empty PostgreSQL database for this test only."""
    given = os.environ.get("DATABASE_URL", "")
    if given.startswith("postgres"):
        yield from _database_beside(given)
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    name = postgres.database()
    yield postgres.url(name)
    postgres.drop(name)


@pytest.fixture
def private_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A running PostgreSQL cluster for this test only, which may kill and restart it."""
    server = PostgresServer(tmp_path_factory.mktemp("private-postgres"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a migrated, empty SQLite database, to be copied."""
    folder = tmp_path_factory.mktemp("migrated")
    Installation(folder, {"SECRET_KEY": TEST_KEY}).manage("migrate", "--no-input", "-v", "0")
    return folder


class MakeInstallation(Protocol):
    """Makes an installation with a migrated database; see `make_installation`."""

    def __call__(self, *, env: Mapping[str, str] | None = None) -> Installation: ...


@pytest.fixture
def make_installation(tmp_path: Path, request: pytest.FixtureRequest) -> MakeInstallation:
    """Function that makes an installation: SQLite, or the database that `env["DATABASE_URL"]` names."""
    made: list[Installation] = []

    def make(*, env: Mapping[str, str] | None = None) -> Installation:
        folder = tmp_path / f"installation-{len(made)}"
        defaults = {"SECRET_KEY": TEST_KEY, "NETRA_REDIS_PREFIX": f"test-{uuid.uuid4().hex}"}
        installation = Installation(folder, {**defaults, **(env or {})})
        if "DATABASE_URL" in (env or {}):
            folder.mkdir()
            installation.manage("migrate", "--no-input", "-v", "0")
        else:
            shutil.copytree(request.getfixturevalue("migrated_sqlite"), folder)
        made.append(installation)
        return installation

    return make


class MakeSite(Protocol):
    """Makes a foreign site; see `make_site`."""

    def __call__(
        self,
        settings: str = "",
        files: Mapping[str, str] | None = None,
        *,
        env: Mapping[str, str] | None = None,
    ) -> ForeignSite: ...


@pytest.fixture
def make_site(tmp_path: Path) -> MakeSite:
    """Function that makes a small Django project that is not Netra's, with Netra added; see `ForeignSite`."""
    made: list[ForeignSite] = []

    def make(
        settings: str = "",
        files: Mapping[str, str] | None = None,
        *,
        env: Mapping[str, str] | None = None,
    ) -> ForeignSite:
        made.append(ForeignSite(tmp_path / f"site-{len(made)}", settings, files, env))
        return made[-1]

    return make


class StartServer(Protocol):
    """Starts a server; see `start_server`."""

    def __call__(
        self,
        kind: Kind = "serve",
        *,
        env: Mapping[str, str] | None = None,
        installation: Installation | None = None,
    ) -> NetraServer: ...


@pytest.fixture
def start_server(make_installation: MakeInstallation) -> Iterator[StartServer]:
    """Function that starts a real server; without `installation`, on one of its own with `env` as its environment.

    Servers that are still running after the test are stopped. Their logs are shown if the test failed.
    """
    started: list[NetraServer] = []

    def start(
        kind: Kind = "serve",
        *,
        env: Mapping[str, str] | None = None,
        installation: Installation | None = None,
    ) -> NetraServer:
        server = (installation or make_installation(env=env)).server(kind, env)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.end()
        print(f"--- {' '.join(server.command[1:])} ---\n{server.tail()}")  # noqa: T201 - pytest shows it on failure


@pytest.fixture
def netra_server(start_server: StartServer) -> NetraServer:
    """A real server (`manage.py serve`) with SQLite and everything else at its default."""
    return start_server()


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Make Playwright start the system's Chromium. Without one, tests are skipped, but fail in CI."""
    path = chromium.executable()
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail(chromium.ADVICE)
        pytest.skip(chromium.ADVICE)
    return {**browser_type_launch_args, "executable_path": path, "args": chromium.arguments()}


def _database_beside(url: str) -> Iterator[str]:
    """Create a database for one test on the server of `url`, whose user needs permission to do so."""
    name = f"netra_{uuid.uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield urlsplit(url)._replace(path=f"/{name}").geturl()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

"""One real server for all tests of the console, a user of their own for each, and a page that is watched for errors."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from e2e.console.reader import Console, OpenConsole, Person
from servers.fixtures import TEST_KEY
from servers.netra import Installation, NetraServer

HERE = Path(__file__).parent
USERS = 60

expect.set_options(timeout=30_000)  # a busy machine is no failure


def _start(folder: Path, migrated_sqlite: Path) -> tuple[NetraServer, Iterator[Person]]:
    """Start a server that has the agents of these tests; meanwhile make its users, all at once."""
    gates = folder / "gates"
    shutil.copytree(migrated_sqlite, folder / "installation")
    env = {
        "SECRET_KEY": TEST_KEY,
        "NETRA_AGENT_MODULES": "agents_for_tests",
        "PYTHONPATH": str(HERE),
        "CONSOLE_TEST_GATES": str(gates),
        "NETRA_DRAIN_SECONDS": "2",
        "NETRA_LEASE_SECONDS": "6",
    }
    installation = Installation(folder / "installation", env)
    server = installation.server()
    with ThreadPoolExecutor() as pool:
        made = pool.submit(installation.manage, "shell", "--no-imports", "-c", _MAKE_USERS.format(count=USERS))
        server.start()
    lines = [line.split() for line in made.result().splitlines()]
    return server, (Person(user_id, name, session, gates / user_id) for user_id, name, session in lines)


@pytest.fixture(scope="session")
def shared(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path
) -> Iterator[tuple[NetraServer, Iterator[Person]]]:
    """The server that these tests share, and users of it nobody has used yet."""
    server, people = _start(tmp_path_factory.mktemp("console"), migrated_sqlite)
    yield server, people
    server.end()


@pytest.fixture(scope="session")
def console_server(shared: tuple[NetraServer, Iterator[Person]]) -> NetraServer:
    """The shared server."""
    return shared[0]


@pytest.fixture(scope="session")
def people(shared: tuple[NetraServer, Iterator[Person]]) -> Iterator[Person]:
    """Its users."""
    return shared[1]


@pytest.fixture(scope="module")
def private(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path
) -> Iterator[tuple[NetraServer, Iterator[Person]]]:
    """A server that the tests of one file stop, kill and start again, and its users."""
    server, people = _start(tmp_path_factory.mktemp("private"), migrated_sqlite)
    yield server, people
    server.end()


@pytest.fixture
def person(people: Iterator[Person]) -> Person:
    """A user of the shared server, without any thread."""
    return next(people)


@pytest.fixture
def open_console(browser: Browser, console_server: NetraServer) -> Iterator[OpenConsole]:
    """Function that opens the console as somebody; afterwards no page may have reported an error."""
    opener = OpenConsole(browser, console_server)
    yield opener
    for context in opener.contexts:
        context.close()
    assert not opener.errors, "\n".join(opener.errors)


@pytest.fixture
def console(open_console: OpenConsole, person: Person) -> Console:
    """The console of `person`, at a new thread."""
    return open_console(person)


_MAKE_USERS = """
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
User.objects.create_user("newcomer", password="a-good-password-1")
for number in range({count}):
    user = User(username=f"reader-{{number}}", first_name="Ada", last_name=f"Reader {{number}}")
    user.set_unusable_password()
    user.save()
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    print(user.pk, user.username, session.session_key)
"""

"""One real server for all tests of the console, a user of their own for each, and a page that is watched for errors.

Screenshots of every state are written to the folder that `CONSOLE_SCREENSHOTS` names, else to the test's own.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from e2e.console.reader import Console, OpenConsole, Person
from servers.fixtures import TEST_KEY
from servers.netra import Installation, NetraServer

HERE = Path(__file__).parent
USERS = 60
MakePeople = Callable[[Installation], Iterator[Person]]
Shoot = Callable[[Page, str], None]

expect.set_options(timeout=30_000)  # a busy machine is no failure


@pytest.fixture(scope="session")
def gates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of all gates."""
    return tmp_path_factory.mktemp("gates")


@pytest.fixture(scope="session")
def console_env(gates: Path) -> dict[str, str]:
    """Environment of a server that has the agents of these tests."""
    return {
        "SECRET_KEY": TEST_KEY,
        "NETRA_AGENT_MODULES": "agents_for_tests",
        "PYTHONPATH": str(HERE),
        "CONSOLE_TEST_GATES": str(gates),
        "NETRA_DRAIN_SECONDS": "3",
    }


@pytest.fixture(scope="session")
def make_people(gates: Path) -> MakePeople:
    """Function that makes users of an installation, all at once: a command costs seconds, a user nothing."""

    def make(installation: Installation) -> Iterator[Person]:
        lines = installation.manage("shell", "--no-imports", "-c", _MAKE_USERS.format(count=USERS)).splitlines()
        for line in lines:
            user_id, name, session = line.split()
            yield Person(user_id, name, session, gates / user_id)

    return make


@pytest.fixture(scope="session")
def console_server(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path, console_env: dict[str, str]
) -> Iterator[NetraServer]:
    """The server that these tests share. Tests that stop or kill one start their own."""
    folder = tmp_path_factory.mktemp("console") / "installation"
    shutil.copytree(migrated_sqlite, folder)
    server = Installation(folder, console_env).server()
    server.start()
    yield server
    server.end()


@pytest.fixture(scope="session")
def people(console_server: NetraServer, make_people: MakePeople) -> Iterator[Person]:
    """Users of the shared server nobody has used yet."""
    return make_people(console_server.installation)


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


@pytest.fixture
def shoot(tmp_path: Path) -> Shoot:
    """Function that takes a screenshot of a state, under a name."""
    folder = Path(os.environ.get("CONSOLE_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)

    def take(page: Page, name: str) -> None:
        picture = page.screenshot(path=folder / f"{name}.png", animations="disabled", caret="hide")
        assert len(picture) > 5_000, "an empty page"

    return take


_MAKE_USERS = """
from importlib import import_module
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
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

"""What a site has forgotten or written wrongly is named by `check`, in a sentence with what to write."""

import pytest

from servers.fixtures import MakeSite
from websocket_core.checks import database

PROCRASTINATE = 'NETRA_EXECUTOR = "procrastinate"'
ROUTER = "class Router:\n    def db_for_write(self, model, **hints):\n        return 'events'\n"

CASES = {
    "no such alias": ('NETRA_DATABASE = "evnts"', "websocket_core.E006", "Use one of 'default'."),
    "a router that says otherwise": (
        'DATABASES["events"] = sqlite("events"); DATABASE_ROUTERS = ["acme.router.Router"]',
        "websocket_core.E007",
        "NETRA_DATABASE = 'events'",
    ),
    "tables of another alias": (
        'DATABASES["events"] = sqlite("events"); NETRA_DATABASE = "events"',
        "websocket_core.W006",
        "manage.py migrate --database=events",
    ),
    "stock SQLite": (
        'DATABASES["default"].pop("OPTIONS")',
        "websocket_core.W003",
        '"OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;"}',
    ),
    "procrastinate without its app": (PROCRASTINATE, "netra_agents.E010", '"procrastinate.contrib.django"'),
    "procrastinate in another database": (
        f'{PROCRASTINATE}; PROCRASTINATE_DATABASE_ALIAS = "jobs"',
        "netra_agents.E009",
        "PROCRASTINATE_DATABASE_ALIAS = 'default'",
    ),
    "procrastinate on SQLite": (PROCRASTINATE, "netra_agents.E001", "DATABASES['default']"),
    "an executor that does not exist": ('NETRA_EXECUTOR = "procrastinat"', "netra_agents.E003", "procrastinate"),
    "a broken agent module": ('INSTALLED_APPS += ["shop"]', "netra_agents.E004", "shop.agents"),
    "no layer": ("CHANNEL_LAYERS = {}", "websocket_core.E002", "CHANNEL_LAYERS"),
    "no such layer": (
        'CHANNEL_LAYERS["default"]["BACKEND"] = "nosuch.Layer"',
        "websocket_core.E009",
        "Correct BACKEND in CHANNEL_LAYERS",
    ),
    "a misspelt setting": ("NETRA_DATABSE = 'default'", "websocket_core.W020", "NETRA_DATABASE"),
    "no app of pages": ('INSTALLED_APPS.remove("netra"); ROOT_URLCONF = "acme.bare"', "netra_agents.W002", '"netra"'),
}
FILES = {
    "acme/router.py": ROUTER,
    "acme/bare.py": "urlpatterns = []\n",
    "shop/__init__.py": "",
    "shop/agents.py": "import nothing_of_that_name\n",
}


@pytest.mark.parametrize("case", CASES)
def test_check__names_it(make_site: MakeSite, case: str) -> None:
    settings, number, says = CASES[case]
    done = make_site(settings, FILES).manage("check", check=False)
    assert f"({number})" in done.text
    assert says in done.text
    assert "Traceback" not in done.text
    assert "DATABASE_URL" not in done.text
    assert "REDIS_URL" not in done.text


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ('INSTALLED_APPS.remove("websocket_core")', 'Add "websocket_core" to INSTALLED_APPS'),
        ('INSTALLED_APPS.remove("netra.agents")', 'Add "netra.agents" and "websocket_core" to INSTALLED_APPS'),
        ('AUTH_USER_MODEL = "accounts.Person"', "AUTH_USER_MODEL refers to model 'accounts.Person'"),
    ],
)
def test_what_keeps_django_from_loading__is_the_last_line(make_site: MakeSite, settings: str, says: str) -> None:
    done = make_site(settings).manage("check", check=False)
    assert done.code != 0
    assert says in done.stderr.strip().splitlines()[-1]


def test_a_database_of_another_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its driver may be absent, and Django says so before; here only Netra's own check is asked."""
    monkeypatch.setattr(database, "_database", lambda: {"ENGINE": "django.db.backends.mysql"})
    (found,) = database.database_is_known(None)
    assert found.id == "websocket_core.E008"


def test_check_deploy__tells_of_a_layer_for_one_process(make_site: MakeSite) -> None:
    done = make_site().manage("check", "--deploy", check=False)
    assert "(websocket_core.W004)" in done.text
    assert "Traceback" not in done.text


def test_the_sites_own_tests__a_rolled_back_one_is_told_at_once(make_site: MakeSite) -> None:
    """On a file and in memory; what is not rolled back works."""
    body = """
import netra, pytest
from django.contrib.auth import get_user_model
from django.test import TestCase, TransactionTestCase


def begin():
    user = get_user_model().objects.create_user("a@example.org", "pw")
    return netra.start("test", {}, user=user)


@pytest.mark.django_db
def test_plain():
    with pytest.raises(RuntimeError, match="TransactionTestCase"):
        run = begin()
        run.wait(timeout=5)


class Plain(TestCase):
    def test_it(self):
        with self.assertRaisesRegex(RuntimeError, "TransactionTestCase"):
            begin().wait(timeout=5)


@pytest.mark.django_db(transaction=True)
def test_transaction():
    assert begin().run_id


class Whole(TransactionTestCase):
    def test_it(self):
        assert begin().run_id
"""
    for settings in ("", 'DATABASES["default"]["TEST"] = {}'):
        site = make_site(f"NETRA_BUILTIN_AGENTS = True\n{settings}", {"tests.py": body})
        site.write("pytest.ini", "[pytest]\npython_files = tests.py\n")
        assert "4 passed" in site.pytest("-q", "tests.py", seconds=60, check=False).text


@pytest.mark.parametrize(
    "command",
    ["erase_user ann --yes", "prune_events", "new_epoch", "issue_token ann", "stop_runs --user ann", "usage"],
)
@pytest.mark.parametrize("database", ["no tables", "no file"])
def test_command__says_that_the_database_is_missing(make_site: MakeSite, command: str, database: str) -> None:
    settings = 'DATABASES["default"]["NAME"] = "/no/such/folder/db.sqlite3"' if database == "no file" else ""
    done = make_site(settings).manage(*command.split(), check=False)
    assert done.code == 1
    assert "CommandError: The database gives no answer: " in done.text
    assert "Traceback" not in done.text


@pytest.mark.parametrize("arguments", ["None", '"acme.asgi"', "print, path=7"])
def test_netra_application__refuses_what_is_no_application(make_site: MakeSite, arguments: str) -> None:
    code = f"from netra.asgi import netra_application\ntry:\n    netra_application({arguments})\n"
    code += "except Exception as error:\n    print(type(error).__name__, error)"
    said = make_site().python(code).stdout
    assert said.startswith("ImproperlyConfigured netra_application: ")
    assert "write" in said


def test_used_before_django_is_set_up__says_what_to_call(make_site: MakeSite) -> None:
    site = make_site(
        files={
            "acme/__init__.py": "import netra\n\ntry:\n    netra.start\nexcept Exception as error:\n    print(error)\n"
        }
    )
    assert "call django.setup() first" in site.manage("check").stdout

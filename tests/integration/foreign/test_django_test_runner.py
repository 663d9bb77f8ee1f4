"""A site's tests under Django's own runner, without pytest: they end, and say what they cannot do."""

from urllib.parse import urlsplit

import pytest

from servers.fixtures import MakeSite

AGENTS = "from netra.agents import agent\n\n\n@agent('orders')\nasync def orders(ctx, input):\n    return input\n"
STARTS = """
from django.contrib.auth import get_user_model
from django.test import TransactionTestCase

import netra


class Starts(TransactionTestCase):
    def test_start(self):
        user = get_user_model().objects.create_user("ann@example.org")
        run = netra.start("orders", user=user)
        self.assertEqual(netra.get_run(run.run_id, user=user).status, "queued")
        run.stop()
        self.assertTrue(list(netra.events(run.thread_id, user=user)))
"""
CALLS = """
from django.contrib.auth import get_user_model
from django.test import TestCase


class Calls(TestCase):
    def test_call(self):
        self.client.force_login(get_user_model().objects.create_user("ann@example.org"))
        self.client.get("/netra/api/me")
"""


def files(tests: str) -> dict[str, str]:
    return {"shop/__init__.py": "", "shop/agents.py": AGENTS, "shop/tests.py": tests}


@pytest.fixture
def in_postgres(postgres_url: str) -> str:
    parts = urlsplit(postgres_url)
    options = {"NAME": parts.path[1:], "USER": parts.username or "", "PASSWORD": parts.password or ""}
    options |= {"HOST": parts.hostname or "", "PORT": str(parts.port or "")}
    return f'DATABASES = {{"default": {{"ENGINE": "django.db.backends.postgresql", **{options!r}}}}}'


def test_postgresql__the_test_database_can_be_removed(make_site: MakeSite, in_postgres: str) -> None:
    site = make_site(f'{in_postgres}; INSTALLED_APPS += ["shop"]', files(STARTS))
    done = site.manage("test", "--no-input", "shop", check=False)
    assert done.code == 0, done.text
    assert "OK" in done.text


def test_http_in_a_test_case__says_what_to_use(make_site: MakeSite) -> None:
    site = make_site('INSTALLED_APPS += ["shop"]', files(CALLS))
    done = site.manage("test", "--no-input", "shop", check=False)
    assert done.code == 1
    assert "In tests use TransactionTestCase" in done.text

"""A site with Django, Channels and what the core cannot do without: what runs there, and what says what is missing.

Everything else is hidden from its processes. `tests/versions` does the same in environments that have nothing else.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from versions import small_site
from versions.distribution import ROOT

CORE = {"django", "channels", "msgspec", "jwt", "cryptography", "cffi", "_cffi_backend", "pycparser"}
CORE |= {"prometheus_client", "asgiref", "sqlparse", "netra", "websocket_core", "mysite", "accounts", "shop"}
HIDING = f"""
import importlib.machinery, runpy, sys

CORE = {CORE}


class Some:
    find_distributions = importlib.machinery.PathFinder.find_distributions

    @staticmethod
    def find_spec(name, path=None, target=None):
        found = importlib.machinery.PathFinder.find_spec(name, path, target)
        if name.partition(".")[0] in CORE or "site-packages" not in str(found):
            return found


sys.meta_path = [importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter, Some]
sys.path = [".", *sys.path[1:], {str(ROOT)!r}]
sys.argv = sys.argv[1:]
if sys.argv[0] == "-m":
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__")
else:
    runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    command = [sys.executable, "-c", HIDING, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100)


def python(*arguments: str, folder: Path) -> str:
    done = run(*arguments, folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("core") / "site"
    small_site.make(folder, python)
    return folder


def test_hidden__means_hidden(site: Path) -> None:
    (site / "look.py").write_text("import importlib.util as u; print(u.find_spec('daphne'), u.find_spec('ninja'))")
    assert python("look.py", folder=site) == "None None\n"


def test_core_alone__checks_migrates_and_runs(site: Path) -> None:
    assert "agent_completed" in small_site.try_out(site, python)


@pytest.mark.parametrize(
    ("command", "package", "extra"),
    [("serve", "daphne", "server"), ("golden_path", "websockets", "cli"), ("loadtest", "websockets", "cli")],
)
def test_commands__that_lack_a_package_say_which_extra_has_it(
    site: Path, command: str, package: str, extra: str
) -> None:
    done = run("manage.py", command, folder=site)
    assert done.returncode != 0
    assert done.stderr == (
        f"CommandError: manage.py {command} needs the package {package}: "
        f"install it, or install django-netra with the extra `{extra}`.\n"
    )


OIDC = "NETRA_OIDC_ISSUERS = {'corp': {'issuer': 'https://id.example.com', 'audience': 'us'}}"
LAYER = "CHANNEL_LAYERS = {'default': {'BACKEND': 'channels_redis.pubsub.RedisPubSubChannelLayer'}}"


@pytest.mark.parametrize(
    ("settings", "check", "named"),
    [
        ("NETRA_EXECUTOR = 'procrastinate'", "netra_agents.E003", "extra `postgres`"),
        ("NETRA_REDIS_URL = 'redis://127.0.0.1:1/0'", "websocket_core.E005", "extra `redis`"),
        (LAYER, "websocket_core.E005", "extra `redis`"),
        (OIDC, "websocket_core.E013", "extra `oidc`"),
        ("NETRA_AGENT_MODULES = ['shop.choosy']", "netra_agents.E004", "agent choosy needs the package jsonschema-rs"),
    ],
    ids=["executor", "redis", "layer", "issuers", "schema"],
)
def test_settings__that_lack_a_package_are_errors_that_say_which_extra_has_it(
    site: Path, settings: str, check: str, named: str
) -> None:
    (site / "shop/choosy.py").write_text(
        "from netra.agents import agent\n\n\n@agent('choosy', input_schema={'type': 'object'})\n"
        "async def choosy(ctx, input):\n    return {}\n"
    )
    (site / "mysite/other.py").write_text(f"from mysite.settings import *\n\n{settings}\n")
    done = run("manage.py", "check", "--settings", "mysite.other", folder=site)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert check in done.stderr
    assert named in done.stderr


def test_the_http_api__is_not_there_and_a_check_says_why(site: Path) -> None:
    done = run("manage.py", "check", folder=site)
    assert "netra.I001" in done.stderr
    assert "django-netra with the extra `api`" in done.stderr
    look = "import django, os; os.environ['DJANGO_SETTINGS_MODULE'] = 'mysite.settings'; django.setup()\n"
    look += "from django.test import Client; print(*(Client().get('/netra/' + name, headers={'host': 'localhost'})"
    look += ".status_code for name in ('healthz', 'api/agents', 'console/')))"
    (site / "look.py").write_text(look)
    assert python("look.py", folder=site) == "200 404 302\n"

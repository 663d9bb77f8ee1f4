"""The pytest plugin in a project that is not ours, found by its entry point as in an installation."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from servers.fixtures import MakeSite
from servers.foreign_site import ForeignSite

ROOT = Path(__file__).resolve().parents[3]
HOW_TO = (ROOT / "docs/howto/test-your-agents.md").read_text()
SETTINGS = 'INSTALLED_APPS += ["shop"]'
BLOCKS = dict(re.findall(r'^```python title="([^"]+)"\n(.*?)^```', HOW_TO, re.MULTILINE | re.DOTALL))
INI = re.findall(r"^```ini\n(.*?)^```", HOW_TO, re.MULTILINE | re.DOTALL)[0]


def entry_points() -> dict[str, str]:
    """What an installed distribution has beside it."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    lines = "\n".join(f"{name} = {module}" for name, module in declared.items())
    folder = "django_netra-0.dist-info"
    return {
        f"{folder}/METADATA": "Metadata-Version: 2.1\nName: django-netra\nVersion: 0\n",
        f"{folder}/entry_points.txt": f"[pytest11]\n{lines}\n",
    }


@pytest.fixture
def site(make_site: MakeSite) -> ForeignSite:
    return make_site(SETTINGS, {"shop/__init__.py": "", "pytest.ini": INI, **BLOCKS, **entry_points()})


def test_how_to__every_test_on_the_page_passes(site: ForeignSite) -> None:
    written = sum(block.count("async def test_") for block in BLOCKS.values())
    assert written >= 9
    done = site.pytest("-q", "-W", "error", "tests")
    assert f"{written} passed" in done.stdout


def test_installed__markers_and_fixtures_are_known(site: ForeignSite) -> None:
    assert "netra_drop_socket(after)" in site.pytest("--markers").stdout
    assert "netra_user_client" in site.pytest("--fixtures", "-q", "tests").stdout


LIFE = """
import asyncio

import pytest
from django.contrib.auth import get_user_model

import netra
from netra.agents.models import Run


@pytest.mark.django_db(transaction=True)
async def test_marked(netra_run):
    user = await get_user_model().objects.acreate(email="ann@example.org")
    run = await netra_run("refunds", {"order": 1}, user=user)
    assert (await netra.aget_run(run.run_id, user=user)).result == run.result == {"refunded": 1}


@pytest.mark.django_db
async def test_marked_without_transaction(netra_run):
    assert (await netra_run("refunds", {"order": 2})).status == "completed"


async def test_the_sites_own_start(netra_process):
    run = await netra.astart("refunds", {"order": 3}, user="ann")
    assert (await run.await_(20)).result == {"refunded": 3}


async def test_the_others_left_nothing(netra_process):
    assert await Run.objects.acount() == 0


@pytest.mark.asyncio(loop_scope="module")
class TestOneLoopForAll:
    async def test_first(self, netra_run):
        assert (await netra_run("refunds", {"order": 4})).status == "completed"

    async def test_second(self, netra_run):
        assert (await netra_run("refunds", {"order": 5})).status == "completed"
        assert "netra-sweeper" in {task.get_name() for task in asyncio.all_tasks()}  # as after the first start
"""


def test_life__with_and_without_markers_on_any_loop(site: ForeignSite) -> None:
    site.write("tests/test_life.py", LIFE)
    assert "6 passed" in site.pytest("-q", "-W", "error", "tests/test_life.py").stdout


def test_sync_test__is_told_what_to_write(site: ForeignSite) -> None:
    site.write("tests/test_sync.py", "def test_sync(netra_run):\n    pass\n")
    done = site.pytest("-q", "tests/test_sync.py", check=False)
    assert done.code == 1
    assert "test_sync uses Netra's fixtures: write it as `async def`." in done.stdout


def test_plain_django_db__without_the_fixtures__is_told_at_once(site: ForeignSite) -> None:
    test = """
import netra
import pytest


@pytest.mark.django_db
async def test_plain():
    await netra.astart("refunds", {"order": 1}, user="ann")
"""
    site.write("tests/test_plain.py", test)
    done = site.pytest("-q", "tests/test_plain.py", check=False, seconds=60)
    assert done.code == 1
    assert "TransactionTestCase" in done.stdout


def test_project_without_netra__pays_and_sees_nothing(site: ForeignSite) -> None:
    """The plugin is loaded wherever the distribution is installed: it must not need Django, nor load Netra."""
    site.write("elsewhere/pytest.ini", "[pytest]\n")
    site.write(
        "elsewhere/test_elsewhere.py",
        "import sys\n\n\ndef test_nothing():\n"
        "    assert 'netra.testing.plugin' in sys.modules\n"
        "    loaded = {name for name in sys.modules if name.startswith(('netra', 'websocket_core'))}\n"
        "    assert loaded == {'netra', 'netra.testing', 'netra.testing.plugin'}\n",
    )
    site.env.pop("DJANGO_SETTINGS_MODULE")
    assert "1 passed" in site.pytest("-q", "-c", "elsewhere/pytest.ini", "elsewhere").stdout

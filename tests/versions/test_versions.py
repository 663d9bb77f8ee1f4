"""Tests the wheel in separate environments: with the newest and lowest dependencies, and beside other packages.

Each environment takes its packages from the configured index.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from versions import small_site
from versions.distribution import Environment, build, project, pythons

pytestmark = [pytest.mark.versions, pytest.mark.timeout(900)]  # the package index may be slow

PYTHONS = ("3.11", "3.12", "3.13")
DJANGOS = {"5.2": PYTHONS, "6.0": PYTHONS[1:], "6.1": PYTHONS[1:]}  # and the versions of Python that each runs on
PAIRS = [(python, django) for django, those in DJANGOS.items() for python in those]
FEW = [("3.11", "5.2"), ("3.13", "6.1")]  # both ends
EVERY = os.environ.get("NETRA_TEST_VERSIONS") == "all"
KEPT = {"asgiref", "channels", "django", "sqlparse"}  # what a site with Channels has
EVENTS = ["agent_started", "tool_executing", "tool_completed", "agent_completed", "agent_started", "agent_completed"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("built")
    build(folder)
    (found,) = folder.glob("*.whl")
    return str(found)


def events(printed: str) -> list[str]:
    """The events of the two runs, without what the second one's may have between."""
    return [line for line in printed.split() if line in EVENTS]


def interpreter(version: str) -> Path:
    found = pythons([version]).get(version)
    if found is None:
        pytest.skip(f"there is no Python {version} here")
    return found


@pytest.mark.parametrize(("python", "django"), PAIRS if EVERY else FEW)
def test_newest__a_site_of_django_and_channels_runs_agents(
    tmp_path: Path, wheel: str, python: str, django: str
) -> None:
    environment = Environment(tmp_path / "env", interpreter(python))
    environment.install(f"django=={django}.*", "channels")
    before = environment.packages()
    environment.install(wheel)
    added = environment.packages() - before - {"django-netra"}
    assert len(added) <= 6, added
    small_site.make(tmp_path / "site", environment.python)
    assert events(small_site.try_out(tmp_path / "site", environment.python)) == EVENTS


def test_lowest__a_site_runs_agents(tmp_path: Path, wheel: str) -> None:
    """With the lowest version of each package that the core names."""
    environment = Environment(tmp_path / "env", interpreter(PYTHONS[0]))
    lowest = [re.sub(r"^([\w-]+)(?:\[\w+\])?>=([\d.]+)$", r"\1==\2", need) for need in project()["dependencies"]]
    assert all("==" in each for each in lowest), lowest
    environment.install(wheel, *lowest)
    small_site.make(tmp_path / "site", environment.python)
    assert events(small_site.try_out(tmp_path / "site", environment.python)) == EVENTS


AGENTS_SDK = "from agents import Agent, Runner; import agents; print(agents.__name__, Agent(name='x').name)"


@pytest.mark.parametrize("first", ["netra", "sdk"])
def test_beside_the_openai_agents_sdk__both_work_and_each_leaves_the_other_whole(
    tmp_path: Path, wheel: str, first: str
) -> None:
    environment = Environment(tmp_path / "env")
    for package in [wheel, "openai-agents"] if first == "netra" else ["openai-agents", wheel]:
        environment.install(package)

    def works(program: str) -> str:
        return environment.python("-c", program, folder=tmp_path)

    assert works(AGENTS_SDK) == "agents x\n"
    small_site.make(tmp_path / "site", environment.python)
    assert events(small_site.try_out(tmp_path / "site", environment.python)) == EVENTS
    if first == "netra":
        for label in ("netra_agents", "websocket_core"):  # as "How to remove Netra" says
            environment.python("manage.py", "migrate", label, "zero", folder=tmp_path / "site")
        environment.pip("uninstall", "--yes", "django-netra")
        assert works(AGENTS_SDK) == "agents x\n"
        with pytest.raises(AssertionError, match="No module named 'netra'"):
            works("import netra")
    else:
        environment.pip("uninstall", "--yes", "openai-agents")
        assert events(environment.python("play.py", folder=tmp_path / "site"))[-1] == EVENTS[-1]
        with pytest.raises(AssertionError, match="No module named 'agents'"):
            works(AGENTS_SDK)

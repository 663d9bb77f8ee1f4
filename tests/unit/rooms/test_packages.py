"""What an installation gets, and what a checkout calls things: `netra` and `websocket_core`, and no `agents`."""

import os
import shutil
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = {"netra": "netra", "netra/agents": "agents", "websocket_core": "websocket_core"}  # in the wheel: here


def python(*arguments: str, folder: Path, path: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": path, "DJANGO_SETTINGS_MODULE": "netra.settings"}
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def sources() -> set[str]:
    """The files of the packages under the names that they have when installed."""
    found = set[str]()
    for installed, folder in PACKAGES.items():
        for base, folders, files in os.walk(ROOT / folder):  # follows no link
            folders[:] = [name for name in folders if name != "__pycache__"]
            found |= {f"{installed}/{(Path(base) / name).relative_to(ROOT / folder).as_posix()}" for name in files}
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the archive of the sources, made of a copy: a build leaves files in its tree."""
    tree, made = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("made")
    for name in ("netra", "agents", "websocket_core"):
        shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    program = f"from setuptools import build_meta as b; b.build_wheel({str(made)!r}); b.build_sdist({str(made)!r})"
    done = python("-c", program, folder=tree)
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    (wheel,) = built.glob("*.whl")
    shutil.unpack_archive(wheel, folder, "zip")
    return folder


def test_the_wheel__has_two_packages_with_every_file_of_theirs(installed: Path) -> None:
    assert sorted(path.name for path in installed.iterdir() if path.suffix != ".dist-info") == [
        "netra",
        "websocket_core",
    ]
    files = {path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file()}
    assert {name for name in files if ".dist-info/" not in name} == sources()
    assert files > {
        "netra/py.typed",
        "netra/agents/migrations/0001_initial.py",
        "netra/agents/static/netra/timeline.css",
        "netra/agents/templates/admin/netra_agents/change_form_object_tools.html",
    }


def test_the_archive_of_the_sources__has_the_agents_as_files(built: Path) -> None:
    """Whoever builds the wheel from it has no link."""
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as found:
        names = {name.partition("/")[2] for name in found.getnames()}
        assert not any(each.issym() for each in found.getmembers())
    assert sources() - names == set()


def test_installed__agents_is_nothing_of_netras(installed: Path, tmp_path: Path) -> None:
    program = (
        "import importlib.util as u; import netra.agents, sys; found = u.find_spec('agents');"
        "print(netra.agents.__file__); print(found.origin if found else None)"
    )
    done = python("-c", program, folder=tmp_path, path=str(installed))
    assert done.returncode == 0, done.stderr
    ours, bare = done.stdout.split()
    assert Path(ours) == installed / "netra/agents/__init__.py"
    assert str(installed) not in bare


def test_in_a_checkout__agents_alone_cannot_be_imported_and_says_what_can(tmp_path: Path) -> None:
    done = python("-c", "import agents", folder=ROOT)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "ImportError: The folder agents/ of Netra is imported as netra.agents: write `from netra.agents import …`."
    )


def test_in_a_checkout__every_file_is_one_module(tmp_path: Path) -> None:
    program = (
        "import django; django.setup(); import netra.agents.service.runtime, sys, os;"
        "[print(os.path.realpath(module.__file__), name) for name, module in list(sys.modules.items())"
        " if getattr(module, '__file__', None) and name != '__main__']"
    )
    done = python("-c", program, folder=ROOT)
    assert done.returncode == 0, done.stderr
    loaded = [line.split() for line in done.stdout.splitlines() if line.startswith(f"{ROOT}/agents/")]
    assert len(loaded) > 20
    assert [name for _, name in loaded if not name.startswith("netra.agents")] == []
    assert [file for file, count in Counter(file for file, _ in loaded).items() if count > 1] == []

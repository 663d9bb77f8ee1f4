"""What an installation gets, and what a checkout calls things: `netra` and `websocket_core`, and no `agents`."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections import Counter
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from versions import distribution
from websocket_core.conf import extras

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
    """A folder with the wheel and the archive of the sources."""
    folder = tmp_path_factory.mktemp("built")
    distribution.build(folder)
    return folder


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


def metadata(installed: Path) -> Message:
    (found,) = installed.glob("*.dist-info/METADATA")
    return Parser().parsestr(found.read_text())


LINK = re.compile(r"!?\[[^\]]*\]\(([^)]+)\)")
SOURCE = "https://code.example/netra"


def test_the_description__has_no_link_that_leads_nowhere(installed: Path) -> None:
    described = metadata(installed)
    assert described["Description-Content-Type"] == "text/markdown"
    assert [target for target in LINK.findall(str(described.get_payload())) if not target.startswith("https://")] == []


def test_the_description__leads_into_the_repository_once_it_has_an_address(tmp_path: Path) -> None:
    for name in ("setup.py", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    project = f'[project]\nname = "x"\nversion = "1"\ndynamic = ["readme"]\n[project.urls]\nSource = "{SOURCE}"\n'
    (tmp_path / "pyproject.toml").write_text(project)
    done = subprocess.run(
        [sys.executable, "setup.py", "--quiet", "--long-description"], cwd=tmp_path, capture_output=True, text=True
    )
    targets = LINK.findall(done.stdout)
    assert len(targets) > 5, done.stderr
    assert [target for target in targets if not target.startswith("https://")] == []
    ours = [target.removeprefix(f"{SOURCE}/").split("/", 2)[2] for target in targets if target.startswith(SOURCE)]
    assert ours
    assert [name for name in ours if not (ROOT / name.partition("#")[0]).exists()] == []


def test_extras__are_named_as_others_write_them(installed: Path) -> None:
    assert set(metadata(installed).get_all("Provides-Extra", [])) == {
        *("server", "api", "postgres", "redis", "login", "pydantic-ai", "langgraph", "openai-agents", "opentelemetry"),
        *("cli", "project", "schemas", "oidc", "all"),
    }


def test_all__is_every_extra() -> None:
    those = distribution.project()["optional-dependencies"]
    named = {name for text in those["all"] for name in text.removeprefix("django-netra[").removesuffix("]").split(",")}
    assert named == set(those) - {"all"}


def test_the_core__shuts_no_version_of_a_site_out() -> None:
    needs = [Requirement(text) for text in distribution.project()["dependencies"]]
    bounds = {need.name: [(bound.operator, Version(bound.version)) for bound in need.specifier] for need in needs}
    most = {"django": "5.2", "channels": "4.2", "msgspec": "0.18.6", "pyjwt": "2.9", "prometheus-client": "0.20"}
    assert set(bounds) == set(most)
    for name, version in most.items():
        ((operator, lowest),) = bounds[name]
        assert operator == ">="
        assert lowest <= Version(version)


@pytest.mark.parametrize(("module", "named"), extras.PACKAGES.items())
def test_missing_packages__are_in_the_extra_that_the_sentence_names(module: str, named: tuple[str, str]) -> None:
    package, extra = named
    texts = distribution.project()["optional-dependencies"][extra]
    assert package in {Requirement(text).name for text in texts}


def test_the_page_of_packages__names_every_extra() -> None:
    page = (ROOT / "docs/reference/packages.md").read_text()
    rows = [line.split("|")[1] for line in page.partition("## Extras")[2].splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`([\w-]+)`", row)]
    assert sorted(named) == sorted(distribution.project()["optional-dependencies"])


def test_import_netra__loads_nothing_that_takes_long(tmp_path: Path) -> None:
    """A command that names it waits for nothing: everything is loaded on first use."""
    done = python("-c", "import netra, sys; print(*sys.modules)", folder=tmp_path, path=str(ROOT))
    assert done.returncode == 0, done.stderr
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "netra" in loaded
    assert loaded & {"django", "channels", "asyncio", "msgspec", "jwt", "cryptography", "prometheus_client"} == set()

"""Builds the wheel and the source archive from a copy of the checkout, and environments to test them in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def project() -> dict[str, Any]:
    """The table `project` of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


def build(folder: Path) -> None:
    """Build the wheel and the source archive into a folder, as `make dist` does."""
    run([sys.executable, str(ROOT / "scripts/build_dist.py"), str(folder)])


class Environment:
    """A separate virtual environment, with packages from the configured index.

    Args:
        folder: where it is made.
        python: the interpreter that it is made with.
    """

    def __init__(self, folder: Path, python: Path | str = sys.executable) -> None:
        self._bin = folder / "bin"
        run([str(python), "-m", "venv", str(folder)])

    def pip(self, *arguments: str) -> None:
        """Run `pip`."""
        run([str(self._bin / "python"), "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check"])

    def install(self, *packages: str) -> None:
        """Install packages and their dependencies."""
        self.pip("install", *packages)

    def packages(self) -> set[str]:
        """The names of the installed packages, except for the tools of every environment."""
        program = "import importlib.metadata as m; print(*{d.metadata['Name'].lower() for d in m.distributions()})"
        return set(self.python("-c", program).split()) - {"pip", "setuptools", "wheel"}

    def python(self, *arguments: str, folder: Path | None = None) -> str:
        """Run Python and return its output. Deprecation warnings are not errors: other packages cause them, too."""
        return run([str(self._bin / "python"), *arguments], folder)


def run(command: Sequence[str], folder: Path | None = None) -> str:
    """Run a command and return its standard output. The exception's text contains its errors."""
    kept = {name: value for name, value in os.environ.items() if name not in _OURS}
    done = subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def pythons(versions: Iterable[str]) -> dict[str, Path]:
    """The interpreters of these versions that exist on this machine."""
    found: dict[str, Path] = {}
    for version in versions:
        candidates = [Path(sys.executable)] if version == f"{sys.version_info[0]}.{sys.version_info[1]}" else []
        candidates += sorted(Path("~/.pyenv/versions").expanduser().glob(f"{version}.*/bin/python{version}"))
        candidates += [Path(name) for name in [shutil.which(f"python{version}")] if name]
        for candidate in candidates:
            asked = subprocess.run([candidate, "-m", "venv", "--help"], capture_output=True, check=False, timeout=60)
            if asked.returncode == 0:
                found[version] = candidate
                break
    return found


_OURS = {"DJANGO_SETTINGS_MODULE", "PYTHONPATH", "PYTHONWARNINGS", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV"}

"""Programs of others that check or run what is in `deploy/`: from the environment, or from the system."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from servers.netra import ROOT

DEPLOY = ROOT / "deploy"
PLACES = (Path(sys.executable).parent, ROOT / ".venv" / "nginx" / "usr" / "sbin", Path("/usr/sbin"))


def program(name: str, advice: str) -> str:
    """Return the path of a program; where there is none, skip the test and say how to get it."""
    path = os.pathsep.join([*map(str, PLACES), os.environ.get("PATH", "")])
    found = shutil.which(name, path=path)
    if found is None:
        pytest.skip(f"no {name}, so nothing was checked: {advice}")
    return found


def approve(command: list[str], env: Mapping[str, str] | None = None) -> str:
    """Run a checker and return what it wrote; the test fails when the checker is not content."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}"
    return done.stdout

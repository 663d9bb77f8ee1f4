"""Builds the wheel and the source archive into a folder: `python scripts/build_dist.py dist`.

Builds from a copy of the project, because a build leaves files in its tree and includes those of earlier builds.
"""

import contextlib
import shutil
import sys
import tempfile
from pathlib import Path

from setuptools import build_meta

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("netra", "agents", "websocket_core")
FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")


def build(dist: Path) -> None:
    """Build both. Other files in the folder are kept."""
    dist.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        for name in PACKAGES:
            shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        for name in FILES:
            shutil.copy(ROOT / name, tree)
        with contextlib.chdir(tree):
            build_meta.build_sdist(str(dist))
            build_meta.build_wheel(str(dist))


build(Path(sys.argv[1]).resolve())

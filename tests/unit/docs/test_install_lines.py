"""Nothing tells people to install the distribution `netra`: it is a stranger's, whose code would run."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
INSTALLS = re.compile(r"\b(?:pip|pip3|pipx|uv|poetry|pdm|conda)\b.*\b(?:install|add|run|tool)\b", re.IGNORECASE)
NAMED = re.compile(r"(?<![\w./:=-])netra(?![\w./:-])", re.IGNORECASE)
EXTRA = re.compile(r"(?<![\w-])netra\[[a-z]", re.IGNORECASE)
TEXT = {".md", ".py", ".toml", ".txt", ".yaml", ".yml", ".html", ".js", ".ts", ".sh", ".service", ".env", ""}


def offends(line: str) -> bool:
    """Whether a line tells to install it."""
    return bool(EXTRA.search(line) or (INSTALLS.search(line) and NAMED.search(INSTALLS.split(line)[-1])))


def test_lines__none_installs_a_strangers_package() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    found = []
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path == Path(__file__) or path.suffix not in TEXT or not path.is_file():
            continue
        lines = path.read_text(errors="replace").splitlines()
        found += [f"{name}:{number}: {line}" for number, line in enumerate(lines, 1) if offends(line)]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "pip install netra",
        "pip install -U netra==0.1",
        "python -m pip install 'netra[langgraph]'",
        'install it with: `pip install "netra[pydantic-ai]"`',
        "uv add netra",
        "pip install django netra",
        '    "netra[opentelemetry]>=0.1",',
    ],
)
def test_pattern__finds_such_lines(line: str) -> None:
    assert offends(line)


@pytest.mark.parametrize(
    "line",
    [
        "pip install django-netra",
        '.venv/bin/python -m pip install "langgraph>=1.2,<2"',
        "docker build --tag netra .",
        "pip install --requirement /opt/netra/requirements.txt",
        "pip install -e ./netra/",
    ],
)
def test_pattern__leaves_others_alone(line: str) -> None:
    assert not offends(line)

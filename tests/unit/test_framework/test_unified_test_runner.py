"""The runner chooses tests by category and hands pytest's exit code on."""

import subprocess
import sys
from pathlib import Path

import pytest

import unified_test_runner

RUNNER = Path(__file__).resolve().parents[2] / "unified_test_runner.py"


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    words = [sys.executable, str(RUNNER), *arguments]
    return subprocess.run(words, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.parametrize("category", ["websocket", "unit", "integration"])
def test_category__chooses_its_tests(category):
    done = run("--category", category, "--no-docker", "--collect-only", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-500:]
    names = [line for line in done.stdout.splitlines() if "::" in line]
    assert names
    assert all(("websocket_core" if category == "websocket" else f"tests/{category}/") in name for name in names)
    assert not [name for name in names if "test_journal" in name and "[postgresql" in name]


def test_real_services__adds_those_that_need_a_server():
    path = "tests/unit/websocket_core/journal/test_fence.py"
    done = run(
        "--category", "websocket", "--real-services", "--collect-only", "-q", "-p", "no:cacheprovider", "-k", "fence"
    )
    assert any(path in line and "[postgresql" in line for line in done.stdout.splitlines())


@pytest.mark.parametrize(("options", "reaches"), [([], False), (["--prefer-staging"], True)])
def test_prefer_staging__alone_reaches_a_deployment(monkeypatch, options, reaches):
    monkeypatch.setenv("NETRA_STAGING_URL", "https://staging.example")
    _, environment = unified_test_runner.command(["--category", "e2e", *options])
    assert ("NETRA_STAGING_URL" in environment) is reaches


def test_foreign_python__finds_the_projects_own(tmp_path):
    """`python tests/unified_test_runner.py`, where `python` is the system's and knows no packages."""
    words = [
        sys.executable,
        "-I",
        "-S",
        str(RUNNER),
        "--category",
        "unit",
        "--collect-only",
        "-q",
        "-k",
        "foreign_python",
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-500:]
    assert "test_foreign_python" in done.stdout


def test_exit_code__is_pytests():
    assert run("--category", "unit", "-k", "no_such_test_anywhere", "-q", "-p", "no:cacheprovider").returncode == 5
    assert run("--category", "unit", "--no-such-option").returncode == 4
    assert run("--category", "nonsense").returncode == 2

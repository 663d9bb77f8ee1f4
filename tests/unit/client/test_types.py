"""The declarations of the client, held against a program by the compiler that its authors use."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(600)  # the compiler is fetched first
HERE = Path(__file__).parent
TYPESCRIPT = "typescript@5.9.3"


@pytest.fixture(scope="session")
def compiler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`tsc`, installed for this test run. Where it cannot be had: skip, but fail in CI, where nobody would notice."""
    npm = shutil.which("npm")
    folder = tmp_path_factory.mktemp("typescript")
    command = [npm or "npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), TYPESCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False) if npm else None
    if done is None or done.returncode:
        problem = "The client's types were NOT tested: "
        problem += (
            f"npm could not install {TYPESCRIPT}:\n{done.stderr}" if done else "npm was not found; install Node.js."
        )
        if os.environ.get("CI"):
            pytest.fail(problem)
        pytest.skip(problem)
    return folder / "node_modules/.bin/tsc"


def test_types__let_a_program_compile_under_strict(compiler: Path) -> None:
    """Answers can be narrowed, interfaces and read-only lists are taken, and what is wrong is refused."""
    options = "--strict --noEmit --module nodenext --target es2022 --lib es2023,dom,dom.iterable"
    result = subprocess.run(
        [compiler, *options.split(), str(HERE / "program.ts")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr

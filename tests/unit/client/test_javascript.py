"""The browser's modules, tested where they need no browser: `node --test` over the files beside this one."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from netra import views

HERE = Path(__file__).parent
STATIC = HERE.parents[2] / "netra/static/netra"
# The first release whose mocked timers include `Date`.
OLDEST_NODE = (20, 4)


def node() -> str:
    """The node to use. Without one the tests are skipped, except in CI, where a skip would go unnoticed."""
    found = shutil.which("node")
    numbers = numbers_of(found) if found else ()
    if numbers >= OLDEST_NODE and found:
        return found
    problem = f"The JavaScript modules were NOT tested: node {'.'.join(map(str, OLDEST_NODE))} or newer is needed"
    problem += f", found {'.'.join(map(str, numbers))}." if found else ", none was found."
    if os.environ.get("CI"):
        pytest.fail(problem)
    pytest.skip(problem)


def numbers_of(program: str) -> tuple[int, ...]:
    """The first two numbers of a Node's version."""
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


@pytest.mark.parametrize("file", sorted(HERE.glob("*.test.mjs")), ids=lambda file: file.name)
def test_javascript__all_pass(file: Path) -> None:
    """Every test of the file passes, and there are some."""
    result = subprocess.run([node(), "--test", str(file)], capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    count = re.search(r"^# tests (\d+)$", result.stdout, re.MULTILINE) or re.search(r"ℹ tests (\d+)", result.stdout)
    assert count, result.stdout
    assert int(count[1]) > 0, result.stdout


def test_console__is_under_100_kib_in_files_of_one_thing_each() -> None:
    """Script and style as they are served: no build step makes them smaller, so they have to be small. What only draws
    threads comes with the first one that is opened, and is counted apart."""
    files = [STATIC / "netra-client.js", *STATIC.glob("client/*.js"), *STATIC.glob("console/*.*")]
    assert len(files) > 20
    sizes = {file.stem: len(file.read_bytes()) for file in files}
    later = sum(sizes[name] for name in views.LATER)
    assert sum(sizes.values()) - later < 100 * 1024, sizes
    assert later < 32 * 1024, sizes
    lines = {file.name: len(file.read_text().splitlines()) for file in files}
    assert not {name: count for name, count in lines.items() if count > 300}

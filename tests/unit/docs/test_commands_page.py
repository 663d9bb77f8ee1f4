"""docs/reference/commands.md names every command of Netra, and every option of its own."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/reference/commands.md").read_text()
ROOMS = ("agents", "netra", "netra/project", "websocket_core")
COMMANDS = {path.stem: path for room in ROOMS for path in (ROOT / room).glob("management/commands/[a-z]*.py")}
OPTION = re.compile(r"""add_argument\(\s*"(--[a-z-]+)""")  # not by importing: `serve` chooses the process's event loop


@pytest.mark.parametrize("name", COMMANDS)
def test_command__is_there_with_its_options(name: str) -> None:
    own = OPTION.findall(COMMANDS[name].read_text())
    assert f"`{name}`" in PAGE
    rows = PAGE.split(f"| `{name}` |")[1].split("\n| `")[0]
    assert [option for option in own if f"`{option}`" not in rows] == []


def test_all_commands__are_looked_at() -> None:
    assert {"serve", "worker", "issue_token", "golden_path", "prune_events", "dev_setup"} <= set(COMMANDS)
    assert len(OPTION.findall(COMMANDS["serve"].read_text())) >= 6

"""docs/reference/commands.md names every command of Netra, and every option of its own."""

from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/reference/commands.md").read_text()
COMMANDS = [name for name, app in get_commands().items() if app in ("agents", "netra", "websocket_core")]


def options(command: BaseCommand) -> set[str]:
    parser = command.create_parser("manage.py", "name")
    return {option for action in parser._actions for option in action.option_strings if option.startswith("--")}


@pytest.mark.parametrize("name", COMMANDS)
def test_command__is_there_with_its_options(name: str) -> None:
    app = get_commands()[name]
    own = options(load_command_class(str(app), name)) - options(BaseCommand())
    assert f"`{name}`" in PAGE
    rows = PAGE.split(f"| `{name}` |")[1].split("\n| `")[0]
    assert [option for option in sorted(own) if f"`{option}`" not in rows] == []


def test_all_commands__are_looked_at() -> None:
    assert {"serve", "worker", "issue_token", "golden_path", "prune_events", "dev_setup"} <= set(COMMANDS)

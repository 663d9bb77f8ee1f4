"""`manage.py startagent NAME`: write a small agent with its test into an app of the site."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from typing import Any

from django.apps import AppConfig, apps
from django.core.management.base import BaseCommand, CommandError, CommandParser

AGENT = """@agent("{name}", description="Says hello")
async def {name}(ctx, input):
    await ctx.think("Looking who is there")
    async with ctx.tool("look_up", {{"user_id": ctx.user_id}}) as call:
        call.result = "somebody"
    await ctx.say("Hello!")
    return {{"said": "Hello!"}}
"""

TEST = """from django.test import TransactionTestCase
from websocket_core import UserExecutionContext, create_websocket_manager
from websocket_core.testing.sockets import RecordingWebSocket, check_run

from netra.agents import AgentRegistry


class {title}Tests(TransactionTestCase):  # not TestCase: what agents write is not rolled back
    async def test_it_answers(self):
        manager = create_websocket_manager(UserExecutionContext("user_1", "thread_1", "run_1"))
        websocket = RecordingWebSocket()
        await manager.add_connection(websocket)
        registry = AgentRegistry()
        registry.set_websocket_manager(manager)
        result = await registry.create_agent("{name}").execute_with_websocket_events({{"message": "hello"}})
        self.assertEqual(result, {{"said": "Hello!"}})
        check_run(websocket.frames)
"""


class Command(BaseCommand):
    """Writes two files, and changes nothing that is there."""

    help = "Write a small agent, and a test of it, into an app."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="of the agent: a word that Python takes as a name")
        parser.add_argument("--app", metavar="LABEL", help="the app (default: the site's only one)")

    def handle(self, *args: Any, name: str, app: str | None, **options: Any) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,60}", name) or keyword.iskeyword(name) or name == "agent":
            raise CommandError(
                f"No agent was written: {name!r} is no name for one. Take lower-case letters, digits and underscores, "
                "a letter first."
            )
        folder = Path(_app(app).path)
        agents, test = folder / "agents.py", _place_of_test(folder, name)
        written = agents.read_text() if agents.exists() else ""
        if re.search(rf"""agent\(\s*["']{name}["']|def {name}\b""", written):
            raise CommandError(f"No agent was written: {agents} has a {name!r} already.")
        if test.exists():
            raise CommandError(f"No agent was written: {test} exists already.")
        head = "" if re.search(r"^from netra\.agents import .*\bagent\b", written, re.M) else _IMPORT
        agents.write_text(_with_import(written, head) + AGENT.format(name=name))
        test.write_text(TEST.format(name=name, title=name.title().replace("_", "")))
        self.stdout.write(f"Wrote the agent {name!r} into {agents}, and its test into {test}.")
        self.stdout.write("Run the test with `manage.py test`, and see the agent with `manage.py agents`.")


_IMPORT = "from netra.agents import agent\n"


def _with_import(written: str, head: str) -> str:
    if not written.strip():
        return f"{head}\n\n"
    if not head:
        return f"{written.rstrip()}\n\n\n"
    lines = written.splitlines(keepends=True)
    imports = [place for place, line in enumerate(lines) if re.match(r"(from|import) ", line)]
    # Before the first import; a file without one begins with its docstring, at the end of which nobody can look here.
    place = imports[0] if imports else len(lines)
    return "".join([*lines[:place], head, *lines[place:]]).rstrip() + "\n\n\n"


def _place_of_test(folder: Path, name: str) -> Path:
    tests = folder / "tests"
    return (tests if tests.is_dir() else folder) / f"test_{name}.py"


def _app(label: str | None) -> AppConfig:
    if label is not None:
        try:
            return apps.get_app_config(label)
        except LookupError as error:
            raise CommandError(f"No agent was written: {error}") from None
    own = [config for config in apps.get_app_configs() if _is_the_site_s(config)]
    if len(own) != 1:
        labels = ", ".join(config.label for config in own) or "none of the site's own is installed"
        raise CommandError(f"No agent was written: say into which app, with --app LABEL ({labels}).")
    return own[0]


def _is_the_site_s(config: AppConfig) -> bool:
    path = Path(config.path)
    ours = config.name.split(".")[0] in ("netra", "websocket_core", "django")
    return not ours and not {"site-packages", "dist-packages"} & set(path.parts)

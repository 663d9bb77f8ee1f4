"""`manage.py startagent NAME`: writes a small agent and its test into an app of the site."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from typing import Any

from django.apps import AppConfig, apps
from django.core.management.base import BaseCommand, CommandError, CommandParser

AGENT = """@agent("{name}", description="Says hello")
async def {name}(ctx, input):
    await ctx.think("Looking up the user")
    async with ctx.tool("look_up", {{"user_id": ctx.user_id}}) as call:
        call.result = "somebody"
    await ctx.say("Hello!")
    return {{"said": "Hello!"}}
"""

TEST = """from django.test import TransactionTestCase
from websocket_core import UserExecutionContext, create_websocket_manager
from websocket_core.testing.sockets import RecordingWebSocket, check_run

from netra.agents import AgentRegistry


class {title}Tests(TransactionTestCase):  # not TestCase, which cannot roll back what agents write
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
    """Adds an agent to `agents.py` and writes its test. Existing code stays as it is."""

    help = "Write a small agent and its test into an app."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name of the agent, which must be a valid Python name")
        parser.add_argument("--app", metavar="LABEL", help="label of the app (default: the site's only app)")

    def handle(self, *args: Any, name: str, app: str | None, **options: Any) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,60}", name) or keyword.iskeyword(name) or name == "agent":
            raise CommandError(
                f"No agent was written: {name!r} is not a valid name. Use lower-case letters, digits and underscores, "
                "beginning with a letter."
            )
        folder = Path(_app(app).path)
        agents, test = folder / "agents.py", _place_of_test(folder, name)
        written = agents.read_text() if agents.exists() else ""
        if re.search(rf"""agent\(\s*["']{name}["']|def {name}\b""", written):
            raise CommandError(f"No agent was written: {agents} already defines {name!r}. Choose another name.")
        if test.exists():
            raise CommandError(f"No agent was written: {test} already exists. Choose another name.")
        head = "" if re.search(r"^from netra\.agents import .*\bagent\b", written, re.M) else _IMPORT
        agents.write_text(_with_import(written, head) + AGENT.format(name=name))
        test.write_text(TEST.format(name=name, title=name.title().replace("_", "")))
        self.stdout.write(f"Wrote the agent {name!r} to {agents}, and its test to {test}.")
        self.stdout.write("Run the test with `manage.py test`, and list the agents with `manage.py agents`.")


_IMPORT = "from netra.agents import agent\n"


def _with_import(written: str, head: str) -> str:
    if not written.strip():
        return f"{head}\n\n"
    if not head:
        return f"{written.rstrip()}\n\n\n"
    lines = written.splitlines(keepends=True)
    imports = [place for place, line in enumerate(lines) if re.match(r"(from|import) ", line)]
    # Before the first import. A file without imports may begin with a docstring, so there the import goes to the end.
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
        labels = ", ".join(config.label for config in own) or "the site has no app of its own in INSTALLED_APPS"
        raise CommandError(f"No agent was written: choose the app with --app LABEL ({labels}).")
    return own[0]


def _is_the_site_s(config: AppConfig) -> bool:
    path = Path(config.path)
    ours = config.name.split(".")[0] in ("netra", "websocket_core", "django")
    return not ours and not {"site-packages", "dist-packages"} & set(path.parts)

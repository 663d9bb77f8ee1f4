"""`manage.py agents`: lists the agents, where each comes from, and who may start it."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from netra.agents.base import BaseAgent
from netra.agents.conf import conf
from netra.agents.registry import catalogue, discovery
from netra.agents.start_policy import is_open, startable_kinds

HEADINGS = ("AGENT", "FROM", "WHO MAY START IT")


class Command(BaseCommand):
    """Imports the agents as a server does, and lists them."""

    help = "List the agents, where each comes from, and who may start it."
    requires_system_checks: list[str] = []  # the command itself reports modules that cannot be imported

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", metavar="USER_ID", help="list only agents that this user may start")

    def handle(self, *args: Any, user: str | None, **options: Any) -> None:
        failures = discovery.failures_without_a_loop()
        kinds = catalogue() if user is None else asyncio.run(startable_kinds(user))
        rows = [HEADINGS, *((kind.name, kind.__module__, _who(kind)) for kind in kinds)]
        widths = [max(len(row[place]) for row in rows) for place in range(2)]
        for row in rows:
            self.stdout.write(f"{row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]}")
        if failures:
            raise CommandError("\n".join(failures))


def _who(kind: type[BaseAgent]) -> str:
    """The users who may start the agent, in words."""
    if is_open(kind):
        return "everybody"
    conditions = [f"who has the permission {kind.permission}"] if kind.permission else []
    conditions += [f"{conf.CAN_START} says yes"] if conf.CAN_START else []
    return ", if ".join(conditions) if kind.permission else f"those for whom {conditions[0]}"

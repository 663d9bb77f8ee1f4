"""`manage.py stop_runs`: stops every open run of a user or an agent."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from netra.agents.ledger.open_runs import is_open
from netra.agents.models import Run
from netra.agents.service import request_stop
from websocket_core.management import question
from websocket_core.management.database_command import DatabaseCommand
from websocket_core.management.progress import Progress

NOTHING = "No run was stopped."
PAGE = 100
REASON_LENGTH = 1024


class Command(DatabaseCommand):
    """Requests the stop of runs, in the same way as their users can."""

    help = (
        "Stops the queued, running and waiting runs of a user, an agent, or both. Runs that start in the meantime are "
        "not stopped. Asks for confirmation."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--user", metavar="USER_ID", help="only runs of this user")
        parser.add_argument("--agent", metavar="NAME", help="only runs of this agent (its name, not an alias)")
        parser.add_argument("--reason", default="stopped", help="reason that users are shown (default: %(default)s)")
        question.add_options(
            parser,
            "print how many runs would be stopped, and stop none",
            "do not ask for confirmation; required without a terminal",
        )

    def handle(
        self, *args: Any, user: str | None, agent: str | None, reason: str, dry_run: bool, yes: bool, **options: Any
    ) -> None:
        if user is None and agent is None:
            raise CommandError(f"{NOTHING} Choose the runs with --user USER_ID, --agent NAME, or both.")
        if not 0 < len(reason) <= REASON_LENGTH or "\0" in reason:
            raise CommandError(f"{NOTHING} --reason must have 1 to {REASON_LENGTH:,} characters.")
        rows = Run.objects.filter(is_open())
        if user is not None:
            rows = rows.filter(owner_id=user)
        if agent is not None:
            rows = rows.filter(agent_type=agent)
        pks = list(rows.order_by("pk").values_list("pk", flat=True))
        found = f"{len(pks):,} open run{'' if len(pks) == 1 else 's'}"
        if dry_run:
            self.stdout.write(f"Would stop {found}. {NOTHING}")
        elif not pks:
            self.stdout.write(f"There is no such open run. {NOTHING}")
        elif yes or question.may_go_on(self, f"This stops {found}.", "Stop them?", NOTHING):
            self._stop(pks, reason)

    def _stop(self, pks: list[int], reason: str) -> None:
        progress, stopped = Progress(self.stdout, "runs", len(pks)), 0
        # Newest first: if a run is stopped, the next queued one of its thread begins, only to be stopped as well.
        pks.reverse()
        for first in range(0, len(pks), PAGE):
            page = Run.objects.select_related("thread").filter(pk__in=pks[first : first + PAGE]).order_by("-pk")
            for place, run in enumerate(page, first + 1):
                stopped += request_stop(run, reason, actor_id="")
                progress.at(place)
        progress.end()
        others = len(pks) - stopped
        self.stdout.write(f"Asked {stopped:,} to stop" + (f"; {others:,} had already ended." if others else "."))

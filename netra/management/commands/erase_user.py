"""`manage.py erase_user USER_ID`: deletes all data of a user."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from netra.agents.service.erasure import StillActive, belongings
from netra.site.erasure import erase_all
from netra.site.users import id_of
from websocket_core.management import question
from websocket_core.management.database_command import DatabaseCommand
from websocket_core.management.progress import Progress
from websocket_core.retention.removal import PAGE

NOTHING = "Nothing was deleted."


class Command(DatabaseCommand):
    """Does the same as `netra.erase`."""

    help = (
        "Deletes all data of a user: threads, events, runs, approvals, memories, tokens, connections and quotas. "
        "Open runs are stopped and sockets closed first. The Django user stays. Asks for confirmation."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user_id", metavar="USER_ID", help="primary key of a Django user, or any other user id")
        question.add_options(
            parser,
            "print what would be deleted, and delete nothing",
            "do not ask for confirmation; required without a terminal",
        )

    def handle(self, *args: Any, user_id: str, dry_run: bool, yes: bool, **options: Any) -> None:
        try:
            user = id_of(user_id)
        except ValueError as error:
            raise CommandError(f"{NOTHING} {error}.") from None
        counts = belongings(user)
        found = ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "no stored data"
        if dry_run:
            self.stdout.write(f"Would delete {found}. {NOTHING}")
        elif yes or question.may_go_on(
            self, f"This deletes {found} of {user}. It cannot be undone.", "Delete them?", NOTHING
        ):
            self._erase(user, sum(counts.values()))
            self.stdout.write(f"Deleted {found}.")

    def _erase(self, user: str, rows: int) -> None:
        progress, pages = Progress(self.stdout, "rows", rows), 0

        def told() -> None:
            nonlocal pages
            pages += 1
            progress.at(min(pages * PAGE, rows))

        try:
            erase_all(user, told)
        except StillActive as error:
            raise CommandError(str(error)) from None
        finally:
            progress.end()

"""`manage.py prune_events`: deletes everything older than the retention period. Run it daily."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from websocket_core.conf import conf
from websocket_core.management.database_command import DatabaseCommand
from websocket_core.management.progress import Progress
from websocket_core.retention import pruning
from websocket_core.retention.removal import remove_deleted

ALMOST_EVERYTHING = 1.0  # days; keeping less always needs a confirmation


class Command(DatabaseCommand):
    """Deletes old events, runs, connections, processes, tokens, and other rows that expire."""

    help = (
        "Deletes events older than NETRA_RETENTION_DAYS (30). Also deletes runs, empty threads, and "
        "rows of connections, processes and tokens that ended earlier. On a terminal it asks first."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=float, help="number of days to keep, instead of NETRA_RETENTION_DAYS")
        parser.add_argument("--dry-run", action="store_true", help="show what would be deleted, and delete nothing")
        parser.add_argument(
            *("--yes", "--no-input", "--noinput"),
            action="store_true",
            dest="yes",
            help="do not ask; required to keep less than a day without a terminal",
        )

    def handle(self, *args: Any, days: float | None, dry_run: bool, yes: bool, **options: Any) -> None:
        kept: float = conf.RETENTION_DAYS if days is None else days
        if not 0 <= kept < 1e6:
            raise CommandError("Nothing was deleted: --days must be 0 or more.")
        before = timezone.now() - timedelta(days=kept)
        old = pruning.old_events(before)
        found = f"{old.count:,} events of {len(old.last_seq):,} threads from before {before:%Y-%m-%d %H:%M} UTC"
        if dry_run:
            self._tell_due(found, before)
        elif yes or self._may_go_on(found, kept):
            self._prune(old, before)

    def _tell_due(self, found: str, before: datetime) -> None:
        rest = {kind.name: kind.rows(before, True).count() for kind in pruning.kinds()}
        others = "".join(f", {count:,} {name}" for name, count in rest.items() if count)
        self.stdout.write(f"Would delete {found}{others}. Nothing was deleted.")

    def _may_go_on(self, found: str, days: float) -> bool:
        if sys.stdin is not None and sys.stdin.isatty():
            self.stdout.write(f"This deletes {found}, and everything that belongs to them. It cannot be undone.")
            if input("Delete them? [y/N] ").strip().lower() in ("y", "yes"):
                return True
            self.stdout.write("Nothing was deleted.")
            return False
        if days < ALMOST_EVERYTHING:
            raise CommandError(
                f"Nothing was deleted: keeping {days:g} days deletes {found}. Use --yes if you want that, "
                "or --dry-run to see more."
            )
        return True

    def _prune(self, old: pruning.OldEvents, before: datetime) -> None:
        events, progress = 0, Progress(self.stdout, "events", old.count)
        for deleted in pruning.prune_events(before, old):
            events += deleted
            progress.at(events)
        progress.end()
        asyncio.run(remove_deleted())
        rest = {kind.name: sum(pruning.prune_kind(kind, before)) for kind in pruning.kinds()}
        others = "".join(f", {count:,} {name}" for name, count in rest.items() if count)
        self.stdout.write(f"Deleted {events:,} events of {len(old.last_seq):,} threads{others}.")

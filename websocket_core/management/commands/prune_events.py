"""`manage.py prune_events`: delete what is older than the retention. Run it daily."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from websocket_core.conf import conf
from websocket_core.retention import prune_events, prune_rest


class Command(BaseCommand):
    """Deletes old events, connection rows and tickets."""

    help = (
        "Deletes events older than the retention (NETRA_RETENTION_DAYS, 30), and rows of connections that ended before."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=float, help="keep so many days instead of NETRA_RETENTION_DAYS")

    def handle(self, *args: Any, **options: Any) -> None:
        days: float = conf.RETENTION_DAYS if options["days"] is None else options["days"]
        if days < 0:
            raise CommandError("--days takes 0 or more")
        before = timezone.now() - timedelta(days=days)
        events = threads = 0
        for deleted in prune_events(before):
            events += deleted
            threads += 1
            if threads % 100 == 0:
                self.stdout.write(f"{events:,} events of {threads:,} threads")
        rest = prune_rest(before)
        self.stdout.write(f"Deleted {events:,} events of {threads:,} threads, and {rest:,} other rows.")

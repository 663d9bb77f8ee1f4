"""`manage.py usage --by user|agent|day`: prints the tokens and cost of runs as a table, CSV or JSON."""

from __future__ import annotations

import csv
import json
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import CommandError

from netra.agents.usage.sums import WAYS, UsageSum, by
from websocket_core.management.database_command import DatabaseCommand

NUMBERS = UsageSum._fields[1:]


def moment(text: str) -> datetime:
    """Parse a day (midnight UTC) or a date with time."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(
            f"{text!r} is not a date or time; write 2026-11-28 or 2026-11-28T12:00:00+00:00"
        ) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


class Command(DatabaseCommand):
    """Reads only an index, so it may run while the site is under load."""

    help = "Print the tokens and cost of runs that ended within a period, by user, agent or day (UTC)."
    requires_system_checks: list[str] = []  # timers run it, and the checks would load every page of the site

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--by", choices=WAYS, default="day", help="one row per user, agent or day (default: day)")
        parser.add_argument(
            "--since", type=moment, metavar="DAY", help="runs that ended at or after this (default: the last 30 days)"
        )
        parser.add_argument("--until", type=moment, metavar="DAY", help="runs that ended before this (default: now)")
        parser.add_argument("--format", choices=("table", "csv", "json"), default="table", help="default: table")

    def handle(self, *args: Any, since: datetime | None, until: datetime | None, **options: Any) -> None:
        until = until or datetime.now(UTC)
        since = since or until - timedelta(days=30)
        if since >= until:
            raise CommandError("--since must be before --until.")
        write = {"table": self._table, "csv": self._csv, "json": self._json}[options["format"]]
        write(options["by"], by(options["by"], since, until))

    def _table(self, way: str, sums: Iterator[UsageSum]) -> None:
        rows = [(way, *NUMBERS), *((row.key, *map(_shown, row[1:])) for row in sums)]
        widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
        for row in rows:
            cells = [
                f"{row[0]:{widths[0]}}",
                *(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)),
            ]
            self.stdout.write("  ".join(cells))

    def _csv(self, way: str, sums: Iterator[UsageSum]) -> None:
        writer = csv.writer(self.stdout, lineterminator="\n")
        writer.writerow([way, *NUMBERS])
        for row in sums:
            writer.writerow([_harmless(row.key), *row[1:5], "" if row.cost is None else format(row.cost, "f")])

    def _json(self, way: str, sums: Iterator[UsageSum]) -> None:
        rows = [
            {way: row.key, **row._asdict(), "cost": None if row.cost is None else format(row.cost, "f")} for row in sums
        ]
        self.stdout.write(json.dumps([{name: row[name] for name in (way, *NUMBERS)} for row in rows], indent=2))


def _shown(value: Any) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:,.6f}"


def _harmless(text: str) -> str:
    """Escape a user id that a spreadsheet would read as a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text

"""The base of commands that cannot work without Netra's tables."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError


class DatabaseCommand(BaseCommand):
    """A command that says in a sentence that the database is away, or has no tables yet."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run it, and turn an error of the database into one of the command."""
        try:
            return super().execute(*args, **options)
        except (DatabaseError, InterfaceError) as error:
            reason = " ".join(str(error).split()).rstrip(".?")
            raise CommandError(
                f"The database gives no answer: {reason}. Start it, or run `manage.py migrate` if tables are missing."
            ) from None

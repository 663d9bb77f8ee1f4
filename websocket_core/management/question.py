"""The question before something that cannot be undone."""

from __future__ import annotations

import sys

from django.core.management.base import BaseCommand, CommandError, CommandParser


def add_options(parser: CommandParser, dry_run: str, yes: str) -> None:
    """`--dry-run` and `--yes`, with their help."""
    parser.add_argument("--dry-run", action="store_true", help=dry_run)
    parser.add_argument("--yes", "--no-input", "--noinput", action="store_true", dest="yes", help=yes)


def may_go_on(command: BaseCommand, found: str, question: str, nothing: str) -> bool:
    """Ask on a terminal.

    Args:
        found: what would happen, a sentence.
        question: as short as possible.
        nothing: what is said after a no: "Nothing was deleted."

    Raises:
        CommandError: there is no terminal to ask on.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        raise CommandError(f"{nothing} {found} Say --yes if that is what you want.")
    command.stdout.write(found)
    if input(f"{question} [y/N] ").strip().lower() in ("y", "yes"):
        return True
    command.stdout.write(nothing)
    return False

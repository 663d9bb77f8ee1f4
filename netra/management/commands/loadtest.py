"""`manage.py loadtest`: simulates many users with several tabs, and checks that every tab received everything once."""

from __future__ import annotations

import asyncio
import json
import secrets
import shlex
import subprocess
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from netra import addresses
from netra.loadtest import plot, report
from netra.loadtest.load import Load, Sample
from netra.loadtest.plan import PULSE, Plan
from netra.loadtest.resuming_client import Refused
from netra.loadtest.verdict import judge
from websocket_core.auth import tokens
from websocket_core.conf.extras import MissingPackage, require

EVERY = 5  # seconds between lines of progress, without a terminal
TOKEN_LIFE = timedelta(hours=6)


class Command(BaseCommand):
    """Puts a deployment under load and compares every tab with the journal. Exit code 1 if a guarantee was broken."""

    help = (
        "Puts a deployment under load: users with several tabs, runs, connections that are cut. At the end, every tab "
        "is compared with the journal. Exit code 1 if an event was lost or duplicated, or a run has no end."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--url",
            action="append",
            help=f"of the WebSocket; several are used in turn (default: {addresses.local_url()})",
        )
        parser.add_argument("--users", type=_whole, default=10, help="number of users (default: %(default)s)")
        parser.add_argument(
            "--tabs", type=_whole, default=3, help="connections per user, at most 20 (default: %(default)s)"
        )
        parser.add_argument(
            "--runs", type=_whole, default=10, help="concurrent runs, over all users (default: %(default)s)"
        )
        parser.add_argument(
            "--events", type=_positive, default=50.0, help="events per second, over all runs (default: %(default)g)"
        )
        parser.add_argument(
            "--run-seconds", type=_positive, default=10.0, help="length of a run (default: %(default)g)"
        )
        parser.add_argument(
            "--duration", type=_positive, default=30.0, help="seconds under load (default: %(default)g)"
        )
        parser.add_argument(
            "--reconnects", type=_number, default=0.0, help="connections cut per second (default: %(default)g)"
        )
        parser.add_argument(
            "--settle", type=_positive, default=120.0, help="seconds for active runs to end (default: 120)"
        )
        parser.add_argument(
            "--size", type=int, default=100, help="characters of padding in an event (default: %(default)s)"
        )
        parser.add_argument(
            "--agent", default=PULSE, help="the agent to start; only `pulse` follows --events (default: %(default)s)"
        )
        parser.add_argument("--input", type=json.loads, help="input as JSON, for an agent other than pulse")
        parser.add_argument(
            "--tokens", type=Path, metavar="FILE", help="file with one bearer token per line, each of a different user"
        )
        parser.add_argument(
            "--token-command",
            metavar="COMMAND",
            help="command that prints a user's token; the user's id replaces {user}",
        )
        parser.add_argument("--plot", type=Path, metavar="FILE", help="write a chart (SVG) of the load over time")
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
        parser.add_argument("--single-frames", action="store_true", help="do not offer netra.v1.batch")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            require("websockets", "manage.py loadtest")
        except MissingPackage as error:
            raise CommandError(str(error), returncode=2) from error
        plan = self._plan(options)
        load = Load(plan)
        self._show = _progress(self.stderr, load)
        load.on_sample = self._show
        try:
            found = asyncio.run(_play(load))
        except* Refused as refused:
            raise CommandError(f"The load test cannot be run: {refused.exceptions[0]}", returncode=2) from None
        except* TimeoutError:
            raise CommandError(
                "The load test cannot be run: a user could not connect, no run began, or the journal could not be "
                "read. Is a worker running, and is --url the address of the WebSocket?",
                returncode=2,
            ) from None
        if options["plot"]:
            title = f"{found['users']} users, {found['tabs']} tabs, {found['runs_at_once']} runs at once"
            options["plot"].write_text(plot.draw(load.samples, title), encoding="utf-8")
            self.stderr.write(f"chart: {options['plot']}")
        self.stdout.write(json.dumps(found) if options["json"] else report.table(found))
        if not found["ok"]:
            raise CommandError("A guarantee was broken; the table says which.", returncode=1)

    def _plan(self, options: dict[str, Any]) -> Plan:
        if options["tabs"] > 20:
            raise CommandError("A user has at most 20 connections (NETRA_MAX_CONNECTIONS_PER_USER): --tabs 20 or less.")
        return Plan(
            urls=tuple(options["url"] or [addresses.local_url()]),
            tokens=tuple(self._tokens(options)),
            tabs=options["tabs"],
            runs=options["runs"],
            events_per_second=options["events"],
            run_seconds=options["run_seconds"],
            duration=options["duration"],
            reconnects_per_second=options["reconnects"],
            settle=options["settle"],
            agent=options["agent"],
            input=options["input"],
            size=options["size"],
            name=f"load-{secrets.token_hex(4)}",
            batch=not options["single_frames"],
        )

    def _tokens(self, options: dict[str, Any]) -> list[str]:
        names = [f"loadtest-{number}" for number in range(options["users"])]
        if options["tokens"]:
            try:
                found: list[str] = options["tokens"].read_text(encoding="utf-8").split()
            except OSError as error:
                raise CommandError(f"--tokens cannot be read: {error}.") from None
            if len(found) < len(names):
                raise CommandError(f"--tokens has {len(found)} tokens, but --users needs {len(names)}, one per user.")
            return found[: len(names)]
        if options["token_command"]:
            return [_token_by(options["token_command"], name) for name in names]
        try:
            return [tokens.issue(name, TOKEN_LIFE, "manage.py loadtest")[0] for name in names]
        except DatabaseError as error:
            raise CommandError(
                f"No tokens could be issued in this installation's database: {error}. Use --tokens or --token-command "
                "for a deployment with another database."
            ) from None


async def _play(load: Load) -> dict[str, Any]:
    try:
        await load.run()
        return report.numbers(load, await judge(load))
    finally:
        await load.close()


def _progress(stream: Any, load: Load) -> Callable[[Sample], None]:
    """Shows the progress: one changing line on a terminal, otherwise a new line every few seconds."""
    live = sys.stderr.isatty()

    def show(sample: Sample) -> None:
        if live:
            stream.write(f"\r{report.progress(sample, load)}", ending="")
        elif len(load.samples) % EVERY == 0:
            stream.write(report.progress(sample, load))

    return show


def _token_by(command: str, user: str) -> str:
    words = [word.replace("{user}", user) for word in shlex.split(command)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - the operator's own command
    if done.returncode or not done.stdout.strip():
        raise CommandError(
            f"--token-command printed no token for {user}: {done.stderr.strip() or 'it printed nothing'}."
        )
    return done.stdout.strip().splitlines()[-1]


def _whole(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise ArgumentTypeError(f"must be a whole number from 1, not {text!r}")
    return int(text)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if value < 0:
        raise ArgumentTypeError(f"must be a number from 0, not {text!r}")
    return value


def _positive(text: str) -> float:
    if (value := _number(text)) == 0:
        raise ArgumentTypeError("must be a number above 0")
    return value

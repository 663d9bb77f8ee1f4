"""`manage.py worker`: execute queued runs (NETRA_EXECUTOR=procrastinate)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from netra.agents.conf import conf
from netra.agents.registry import discovery
from websocket_core.database import db
from websocket_core.process.heartbeat import this_process

DEFAULT_CONCURRENCY = 50  # runs at once; they mostly wait for models and tools


class Command(BaseCommand):
    """A worker process."""

    help = (
        "Executes queued runs. SIGTERM lets running ones end within NETRA_DRAIN_SECONDS and gives back what has not "
        "started; a second one ends the process at once."
    )
    requires_system_checks = "__all__"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--concurrency", type=int, default=DEFAULT_CONCURRENCY, help="runs at once (default: %(default)s)"
        )
        parser.add_argument(
            "--metrics-port", type=int, metavar="N", help="answer Prometheus on this port (default: on none)"
        )
        parser.add_argument(
            "--metrics-host",
            default="127.0.0.1",
            metavar="H",
            help="address of that port; 0.0.0.0 is every one of this machine (default: %(default)s)",
        )

    def check(self, *args: Any, **kwargs: Any) -> None:
        """The system checks; agents are imported later, on the event loop that they run on."""
        with discovery.deferred():
            super().check(*args, **kwargs)

    def handle(self, *args: Any, **options: Any) -> None:
        if conf.EXECUTOR != "procrastinate":
            where = "in the server itself" if conf.EXECUTOR == "inline" else f"by {conf.EXECUTOR}"
            raise CommandError(
                f"This installation executes runs {where}. To use these workers set "
                "NETRA_EXECUTOR=procrastinate, PostgreSQL and a Redis channel layer, for servers and workers alike."
            )
        if options["concurrency"] < 1:
            raise CommandError("--concurrency takes 1 or more")
        from netra.agents.workers.procrastinate import CannotStartError, work  # needs procrastinate, which is optional

        this_process.kind = "worker"
        with contextlib.suppress(ImportError):
            import uvloop  # not on every platform

            uvloop.install()
        try:
            asyncio.run(work(options["concurrency"], options["metrics_host"], options["metrics_port"]))
        except CannotStartError as error:
            raise CommandError(str(error)) from error
        finally:
            db.close_all()

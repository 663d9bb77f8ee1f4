"""`manage.py worker`: executes queued runs (NETRA_EXECUTOR=procrastinate)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from netra.agents.conf import conf
from netra.agents.registry import discovery
from websocket_core.database import db
from websocket_core.process.heartbeat import this_process

DEFAULT_CONCURRENCY = 50  # concurrent runs; they mostly wait for models and tools


class Command(BaseCommand):
    """A worker process."""

    help = (
        "Executes queued runs. SIGTERM lets running ones end within NETRA_DRAIN_SECONDS and returns those not yet "
        "started. A second SIGTERM ends the process at once."
    )
    requires_system_checks = "__all__"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--concurrency", type=int, default=DEFAULT_CONCURRENCY, help="concurrent runs (default: %(default)s)"
        )
        parser.add_argument(
            "--metrics-port", type=int, metavar="N", help="serve metrics for Prometheus on this port (default: off)"
        )
        parser.add_argument(
            "--metrics-host",
            default="127.0.0.1",
            metavar="H",
            help="address of that port; 0.0.0.0 means all addresses of this machine (default: %(default)s)",
        )

    def check(self, *args: Any, **kwargs: Any) -> None:
        """Run the system checks. Agents are imported later, on the event loop that executes them."""
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
            raise CommandError("--concurrency must be 1 or more")
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

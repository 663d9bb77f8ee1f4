"""`manage.py worker`: execute queued runs (NETRA_EXECUTOR=procrastinate)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents.conf import conf
from agents.registry import discover
from agents.runtime import RunRuntime
from agents.sweeper import get_sweeper
from websocket_core import db
from websocket_core.lifecycle import begin_drain, lifecycle
from websocket_core.process import this_process

log = logging.getLogger(__name__)

DEFAULT_CONCURRENCY = 50  # runs at once; they mostly wait for models and tools


class Command(BaseCommand):
    """A worker process. SIGTERM gives its runs NETRA_DRAIN_SECONDS, a second one ends it at once."""

    help = "Executes queued runs. SIGTERM lets running ones end within NETRA_DRAIN_SECONDS and gives back what has not started."
    requires_system_checks = "__all__"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--concurrency", type=int, default=DEFAULT_CONCURRENCY, help="runs at once (default: %(default)s)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if conf.EXECUTOR != "procrastinate":
            raise CommandError(
                "This installation executes runs in the server itself. To use workers set NETRA_EXECUTOR=procrastinate, "
                "DATABASE_URL to PostgreSQL and REDIS_URL, for the servers and the workers."
            )
        if options["concurrency"] < 1:
            raise CommandError("--concurrency takes 1 or more")
        this_process.kind = "worker"
        with contextlib.suppress(ImportError):
            import uvloop

            uvloop.install()
        try:
            asyncio.run(_work(options["concurrency"]))
        finally:
            db.close_all()


async def _work(concurrency: int) -> None:
    from procrastinate.contrib.django import app  # optional dependency

    from agents.executors.procrastinate import QUEUE

    discover()
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            log.warning("second signal: ending at once")
            signal.raise_signal(signal.SIGKILL)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    get_sweeper(RunRuntime()).start()
    connector: Any = app.connector  # Django's; workers need one that listens
    worker_app = app.with_connector(connector.get_worker_connector())
    async with worker_app.open_async():
        worker = asyncio.create_task(
            worker_app.run_worker_async(
                queues=[QUEUE],
                name=f"netra-{this_process.process_id}",
                concurrency=concurrency,
                install_signal_handlers=False,
                delete_jobs="always",
                shutdown_graceful_timeout=conf.DRAIN_SECONDS + conf.STOP_GRACE_SECONDS + 10,
            )
        )
        janitor = asyncio.create_task(_clear_stalled_jobs(worker_app))
        stopped = asyncio.create_task(stop.wait())
        vendor = settings.DATABASES["default"]["ENGINE"].rsplit(".", 1)[-1]
        log.info(
            "Netra executes runs (process %s, %d at once, database %s)", this_process.process_id, concurrency, vendor
        )
        await asyncio.wait({worker, stopped}, return_when=asyncio.FIRST_COMPLETED)
        begin_drain()
        janitor.cancel()
        worker.cancel()  # procrastinate takes no more jobs and waits for those that run
        await lifecycle.drain()
        await asyncio.wait({worker}, timeout=5)
        stopped.cancel()
        if worker.done() and not worker.cancelled() and worker.exception() is not None and not stop.is_set():
            raise CommandError(f"The worker ended: {worker.exception()}")
    log.info("Netra worker has ended")


async def _clear_stalled_jobs(worker_app: Any) -> None:
    from agents.executors.procrastinate import clear_stalled

    while True:
        await asyncio.sleep(30)
        try:
            if cleared := await clear_stalled(worker_app):
                log.info("cleared %d jobs of workers that died", cleared)
        except Exception as error:  # noqa: BLE001 - waited out, the next look comes
            log.warning("clearing jobs: %s: %s", type(error).__name__, error)

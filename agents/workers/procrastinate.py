"""A worker's side of procrastinate: turns jobs into leases.

A job only says that there may be something to do. The claim decides whether and by whom, and takes a lease with a
fencing token. A job that is duplicated, late, or whose run was stopped therefore does nothing, and a worker that dies
leaves a lease that expires instead of a lock.
"""

from __future__ import annotations

import asyncio
import logging
import signal

from procrastinate import App, PsycopgConnector
from procrastinate.contrib.django import app
from procrastinate.contrib.django.utils import connector_params
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Status

from netra.agents.conf import conf
from netra.agents.executors.procrastinate import QUEUE, TASK
from netra.agents.observing import worker_metrics
from netra.agents.registry import discovery
from netra.agents.service import get_runtime
from netra.agents.workers.job_connections import JobConnections
from netra.agents.workers.patient_queue import PatientJobManager
from websocket_core.conf import conf as delivery_conf
from websocket_core.gateway import get_gateway
from websocket_core.process import garbage
from websocket_core.process.background import AWAY, ForEach, Outage, repeat
from websocket_core.process.exit import exit_in_spite_of_threads
from websocket_core.process.heartbeat import this_process
from websocket_core.process.lifecycle import lifecycle

log = logging.getLogger(__name__)


@app.task(name=TASK, queue=QUEUE)
async def execute_run(owner_id: str, thread_id: str, run_id: str) -> None:
    """Claim the next run of the thread and execute it, then the runs that wait behind it, without the queue.

    Usually this is the run of the job, but that run may have been stopped in the meantime.
    """
    if lifecycle.draining:
        again = app.configure_task(TASK, queue=QUEUE)
        await again.defer_async(owner_id=owner_id, thread_id=thread_id, run_id=run_id)  # for another worker
        return
    await get_runtime().dispatcher.execute_next(owner_id, thread_id)


class CannotStartError(Exception):
    """The agents cannot be imported, or the port for Prometheus is unavailable. The message is for the operator."""


async def work(concurrency: int, metrics_host: str = "127.0.0.1", metrics_port: int | None = None) -> None:
    """Execute runs until SIGTERM or SIGINT, then accept no more and let running ones end within `NETRA_DRAIN_SECONDS`.

    Args:
        concurrency: the most concurrent runs.
        metrics_host: the address on which metrics are served.
        metrics_port: the port of the metrics; `None` for none.

    Raises:
        CannotStartError: an agent module cannot be imported, or the port is unavailable.
        Exception: what ended procrastinate's worker, if it was not a signal.
    """
    failures = discovery.failures()  # imports the agents, on this loop
    if failures:
        raise CannotStartError("\n".join([*failures, discovery.REMEDY]))
    stop = _stop_on_signals()
    if metrics_port is not None:
        try:
            worker_metrics.serve(metrics_host, metrics_port, get_runtime().numbers.refresh)
        except (OSError, OverflowError) as error:
            raise CannotStartError(
                f"Cannot listen on {metrics_host} port {metrics_port}: {error}. Give another --metrics-port."
            ) from error
    get_gateway().serve()
    garbage.settle()
    # Django's own connector cannot listen. Both limits are short so that a worker recovers quickly from an outage: the
    # pool's pauses between attempts to connect grow, and a pool that has given up only tries again when it is used.
    connector = PsycopgConnector(
        pool_factory=JobConnections, kwargs=connector_params(delivery_conf.DATABASE), timeout=3.0, reconnect_timeout=2.0
    )
    worker_app = app.with_connector(connector)
    worker_app.job_manager = PatientJobManager(worker_app.connector)
    async with worker_app.open_async():
        worker = asyncio.create_task(
            worker_app.run_worker_async(
                queues=[QUEUE],
                name=f"netra-{this_process.process_id}",
                concurrency=concurrency,
                install_signal_handlers=False,
                delete_jobs="always",
                fetch_job_polling_interval=conf.LOOK_SECONDS,  # a notification is lost if its connection breaks
                update_heartbeat_interval=conf.JOB_STALL_SECONDS / 3,
                stalled_worker_timeout=conf.JOB_STALL_SECONDS,
                shutdown_graceful_timeout=delivery_conf.DRAIN_SECONDS + conf.STOP_GRACE_SECONDS + 10,
            )
        )
        janitor = asyncio.create_task(_clear_stalled_jobs(worker_app))
        stopped = asyncio.create_task(stop.wait())
        log.info("Netra executes runs (process %s, concurrency %d)", this_process.process_id, concurrency)
        await asyncio.wait({worker, stopped}, return_when=asyncio.FIRST_COMPLETED)
        lifecycle.begin_drain()
        for task in (janitor, stopped, worker):
            task.cancel()  # procrastinate accepts no more jobs and waits for running ones
        await lifecycle.drain()
        await asyncio.wait({worker, janitor}, timeout=5)
        if worker.done() and not worker.cancelled() and not stop.is_set():
            worker.result()  # raises the error that ended it
    log.info("Netra worker has ended")
    exit_in_spite_of_threads(5)  # the event loop also waits for threads when it closes


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            log.warning("second signal: exiting at once")
            signal.raise_signal(signal.SIGKILL)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    return stop


async def _clear_stalled_jobs(worker_app: App) -> None:
    """Finish the jobs of dead workers. The leases end their runs or let others take them over."""
    each = ForEach(log, "clearing job", away=(*AWAY, ConnectorException))

    async def finish(job_id: int) -> None:
        await manager.finish_job_by_id_async(job_id, Status.FAILED, delete_job=True)

    async def clear() -> None:
        await asyncio.sleep(conf.JOB_STALL_SECONDS)
        found = await manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=conf.JOB_STALL_SECONDS)
        stalled = [job.id for job in found if job.id is not None]
        await each.take(stalled, finish)
        if stalled:
            log.info("cleared %d jobs of dead workers", len(stalled))

    manager = worker_app.job_manager
    await repeat(Outage(log, "clearing jobs"), clear)

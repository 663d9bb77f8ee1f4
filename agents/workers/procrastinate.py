"""A worker's side of procrastinate: jobs become leases.

A job only says "there is something to do": whether, and by whom, is decided by the claim, which takes a lease with a
fencing
token. So a job that comes twice, late, or after its run was stopped does nothing, and a worker that dies leaves a
lease that
runs out, not a lock.
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
    """Claim what is next in the run's thread and execute it, and then whatever waits behind it, without going through
    the queue again. Most of the time that is the run itself; it may have been stopped meanwhile.
    """
    if lifecycle.draining:
        again = app.configure_task(TASK, queue=QUEUE)
        await again.defer_async(owner_id=owner_id, thread_id=thread_id, run_id=run_id)  # for another worker
        return
    await get_runtime().dispatcher.execute_next(owner_id, thread_id)


class CannotStartError(Exception):
    """The agents cannot be imported, or the port for Prometheus cannot be had. The message is for the operator."""


async def work(concurrency: int, metrics_host: str = "127.0.0.1", metrics_port: int | None = None) -> None:
    """Execute runs until SIGTERM or SIGINT; then let the running ones end, within `NETRA_DRAIN_SECONDS`, and take no
    more.

    Args:
        concurrency: runs at once.
        metrics_host: where Prometheus is answered.
        metrics_port: on which port; `None`: not at all.

    Raises:
        CannotStartError: an agent module cannot be imported, or the port cannot be had.
        Exception: what ended procrastinate's worker, when it was no signal.
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
    # Django's own connector cannot listen. A short time for each attempt to connect: the pauses of the pool between
    # attempts grow, and with them the way back from an outage. A short time for who waits for a connection, too: a
    # pool that has given up tries again only when it is asked.
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
                fetch_job_polling_interval=conf.LOOK_SECONDS,  # a notice gets lost with the connection that hears it
                update_heartbeat_interval=conf.JOB_STALL_SECONDS / 3,
                stalled_worker_timeout=conf.JOB_STALL_SECONDS,
                shutdown_graceful_timeout=delivery_conf.DRAIN_SECONDS + conf.STOP_GRACE_SECONDS + 10,
            )
        )
        janitor = asyncio.create_task(_clear_stalled_jobs(worker_app))
        stopped = asyncio.create_task(stop.wait())
        log.info("Netra executes runs (process %s, %d at once)", this_process.process_id, concurrency)
        await asyncio.wait({worker, stopped}, return_when=asyncio.FIRST_COMPLETED)
        lifecycle.begin_drain()
        for task in (janitor, stopped, worker):
            task.cancel()  # procrastinate takes no more jobs and waits for those that run
        await lifecycle.drain()
        await asyncio.wait({worker, janitor}, timeout=5)
        if worker.done() and not worker.cancelled() and not stop.is_set():
            worker.result()  # raises what ended it
    log.info("Netra worker has ended")
    exit_in_spite_of_threads(5)  # from here on: the end of the event loop waits for threads, too


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            log.warning("second signal: ending at once")
            signal.raise_signal(signal.SIGKILL)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    return stop


async def _clear_stalled_jobs(worker_app: App) -> None:
    """Finish the jobs of workers that died: their runs are ended, or taken over, by their leases."""
    each = ForEach(log, "clearing job", away=(*AWAY, ConnectorException))

    async def finish(job_id: int) -> None:
        await manager.finish_job_by_id_async(job_id, Status.FAILED, delete_job=True)

    async def clear() -> None:
        await asyncio.sleep(conf.JOB_STALL_SECONDS)
        found = await manager.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=conf.JOB_STALL_SECONDS)
        stalled = [job.id for job in found if job.id is not None]
        await each.take(stalled, finish)
        if stalled:
            log.info("cleared %d jobs of workers that died", len(stalled))

    manager = worker_app.job_manager
    await repeat(Outage(log, "clearing jobs"), clear)

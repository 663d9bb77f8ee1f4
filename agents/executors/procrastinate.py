"""Runs executed by worker processes, distributed by procrastinate on PostgreSQL.

A job is enqueued in the transaction that records its run, so there is never one without the other. The job only says
"there is
something to do": whether, and by whom, is decided by the claim, which takes a lease with a fencing token. So a job
that comes
twice, late, or after its run was stopped does nothing, and a worker that dies leaves a lease that runs out, not a lock.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.db import OperationalError
from procrastinate import exceptions
from procrastinate.contrib.django import app
from procrastinate.jobs import Job, Status

from agents.ledger import ClaimRun
from agents.runner import get_runner
from websocket_core.journal import get_journal
from websocket_core.lifecycle import is_draining
from websocket_core.process import this_process

if TYPE_CHECKING:
    from procrastinate import App

    from agents.models import Run

log = logging.getLogger(__name__)

QUEUE = "netra"


class ProcrastinateExecutor:
    """Enqueues runs for the workers."""

    claims_at_start = False

    def enqueue(self, run: Run) -> None:
        """Enqueue a job on the connection, and so in the transaction, of the calling thread."""
        try:
            execute_run.defer(user_id=run.user_id, thread_id=run.thread.thread_id, run_id=run.run_id)
        except exceptions.ConnectorException as error:
            # The journal waits for an absent database by the errors it knows.
            raise OperationalError(str(error)) from error


@app.task(name="netra.execute_run", queue=QUEUE)
async def execute_run(user_id: str, thread_id: str, run_id: str) -> None:
    """Claim the run and execute it, and then whatever waits behind it in its thread, without going through the
    queue again.
    """
    if is_draining():
        await execute_run.defer_async(user_id=user_id, thread_id=thread_id, run_id=run_id)  # for another worker
        return
    lease = await get_journal().submit(ClaimRun(user_id, thread_id, this_process.process_id, run_id))
    if lease is not None:
        await get_runner().execute(lease)


async def clear_stalled(worker_app: App) -> int:
    """Finish the jobs of workers that died: their runs are ended, or taken over, by their leases. Returns how many."""
    stalled: list[Job] = list(await worker_app.job_manager.get_stalled_jobs(queue=QUEUE))
    for job in stalled:
        await worker_app.job_manager.finish_job(job, Status.FAILED, delete_job=True)
    return len(stalled)

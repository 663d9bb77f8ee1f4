"""Runs executed by worker processes, distributed by procrastinate on PostgreSQL.

A job is enqueued in the transaction that records its run, so there is never one without the other, and at most one of
a run waits at a time. What a worker does with it is in `netra.agents.workers.procrastinate`.
"""

from __future__ import annotations

import logging
from contextlib import nullcontext

from django.db import OperationalError, transaction
from procrastinate import exceptions
from procrastinate.contrib.django import app

from netra.agents.models import Run

log = logging.getLogger(__name__)

QUEUE = "netra"
TASK = "netra.execute_run"


class ProcrastinateExecutor:
    """Enqueues runs for the workers."""

    claims_at_start = False

    def enqueue(self, run: Run, *, again: bool = False) -> None:
        """Enqueue a job on the connection, and so in the transaction, of the calling thread."""
        task = app.configure_task(TASK, queue=QUEUE, queueing_lock=f"{QUEUE}:{run.pk}")
        try:
            # The savepoint is for the refusal alone, which spoils a transaction; a new run's first job needs none.
            with transaction.atomic() if again else nullcontext():
                task.defer(user_id=run.user_id, thread_id=run.thread.thread_id, run_id=run.run_id)
        except exceptions.AlreadyEnqueued:
            log.debug("run %s has a job that waits already", run.run_id)
        except exceptions.ConnectorException as error:
            # The journal waits for an absent database by the errors it knows.
            raise OperationalError(str(error)) from error

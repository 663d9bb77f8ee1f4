"""Runs executed by worker processes, distributed by procrastinate on PostgreSQL.

A job is enqueued in the transaction that records its run, so there is never one without the other. What a worker does
with it is
in `agents.worker`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import OperationalError
from procrastinate import exceptions
from procrastinate.contrib.django import app

if TYPE_CHECKING:
    from agents.models import Run

QUEUE = "netra"
TASK = "netra.execute_run"


class ProcrastinateExecutor:
    """Enqueues runs for the workers."""

    claims_at_start = False

    def enqueue(self, run: Run) -> None:
        """Enqueue a job on the connection, and so in the transaction, of the calling thread."""
        try:
            task = app.configure_task(TASK, queue=QUEUE)
            task.defer(user_id=run.user_id, thread_id=run.thread.thread_id, run_id=run.run_id)
        except exceptions.ConnectorException as error:
            # The journal waits for an absent database by the errors it knows.
            raise OperationalError(str(error)) from error

"""Has runs executed by worker processes, distributed by procrastinate on PostgreSQL.

A job is enqueued in the transaction that records its run, so neither exists without the other. At most one job of a run
waits at a time. `netra.agents.workers.procrastinate` executes the jobs.
"""

from __future__ import annotations

import logging
from contextlib import nullcontext

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.db import DEFAULT_DB_ALIAS, OperationalError
from procrastinate import exceptions
from procrastinate.contrib.django import app

from netra.agents.models import Run
from websocket_core.conf import conf
from websocket_core.database.home import atomic

log = logging.getLogger(__name__)

QUEUE = "netra"
TASK = "netra.execute_run"
PROCESS_LOCAL_LAYERS = (
    "websocket_core.layers.InProcessChannelLayer",
    "channels.layers.InMemoryChannelLayer",
)


class ProcrastinateExecutor:
    """Enqueues runs for the workers."""

    claims_at_start = False
    supports_transactional_enqueue = True  # on PostgreSQL; `check` refuses others

    def enqueue(self, run: Run, *, again: bool = False) -> None:
        """Enqueue a job on the connection, and so in the transaction, of the calling thread."""
        task = app.configure_task(TASK, queue=QUEUE, queueing_lock=f"{QUEUE}:{run.pk}")
        try:
            # The savepoint is only for the refusal, which aborts a transaction. A new run's first job needs none.
            with atomic() if again else nullcontext():
                task.defer(owner_id=run.owner_id, thread_id=run.thread.thread_id, run_id=run.run_id)
        except exceptions.AlreadyEnqueued:
            log.debug("run %s already has a waiting job", run.run_id)
        except exceptions.ConnectorException as error:
            # The journal retries on the errors of an unavailable database that it knows.
            raise OperationalError(str(error)) from error

    def check(self) -> list[CheckMessage]:
        """E001, E002: workers are separate processes, so they need a database server and a shared channel layer."""
        found: list[CheckMessage] = []
        if not apps.is_installed("procrastinate.contrib.django"):
            found.append(
                Error(
                    "NETRA_EXECUTOR=procrastinate needs procrastinate's app, which has its table of jobs.",
                    hint='Add "procrastinate.contrib.django" to INSTALLED_APPS, then run manage.py migrate.',
                    id="netra_agents.E010",
                )
            )
        alias = getattr(settings, "PROCRASTINATE_DATABASE_ALIAS", DEFAULT_DB_ALIAS)
        if alias != conf.DATABASE:
            found.append(
                Error(
                    f"procrastinate works in the database {alias!r}, and Netra in {conf.DATABASE!r}; a job has to be "
                    "in the transaction that records its run.",
                    hint=f"Set PROCRASTINATE_DATABASE_ALIAS = {conf.DATABASE!r}.",
                    id="netra_agents.E009",
                )
            )
        if "postg" not in settings.DATABASES.get(conf.DATABASE, {}).get("ENGINE", ""):
            found.append(
                Error(
                    "NETRA_EXECUTOR=procrastinate needs PostgreSQL.",
                    hint=f"Let DATABASES[{conf.DATABASE!r}] be PostgreSQL, or set NETRA_EXECUTOR=inline.",
                    id="netra_agents.E001",
                )
            )
        if settings.CHANNEL_LAYERS.get("default", {}).get("BACKEND") in PROCESS_LOCAL_LAYERS:
            found.append(
                Error(
                    "NETRA_EXECUTOR=procrastinate needs several processes, but this channel layer works within one.",
                    hint="Set CHANNEL_LAYERS['default'] to channels_redis.pubsub.RedisPubSubChannelLayer.",
                    id="netra_agents.E002",
                )
            )
        return found

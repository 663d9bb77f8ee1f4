"""A worker's queue of jobs that survives outages of the database.

procrastinate's worker ends at the first database error, and its runs end with it. Runs survive such an outage by
themselves (the journal waits, leases are renewed), so the queue has to wait too. While the database is unavailable
there are no jobs, and reports of finished ones wait.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from procrastinate import exceptions
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.3  # pause before a failed query is repeated
ANSWER_SECONDS = 20.0  # limit for an answer of the database

T = TypeVar("T")


class PatientJobManager(JobManager):
    """The queue, as a worker uses it."""

    def __init__(self, connector: Any) -> None:
        super().__init__(connector)
        self._ids: dict[int, int] = {}  # a worker's id -> its current registered id
        self._away = False

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """The next job. `None` if there is none or the database is unavailable; the worker asks again by itself."""
        try:
            job = await self._answer(super().fetch_job(queues, self._ids.get(worker_id, worker_id)))
        except Exception as error:  # noqa: BLE001 - also a row that cannot be read: it must not end the worker
            self._note(error)
            await asyncio.sleep(PAUSE_SECONDS)
            if isinstance(error, exceptions.ConnectorException):
                await self._register_again(worker_id)
            return None
        self._away = False
        return job

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Report that a job is done, waiting for the database if necessary. A job that was cleared counts as done."""
        while True:
            try:
                await self._answer(super().finish_job(job, status, delete_job))
            except (exceptions.ConnectorException, TimeoutError) as error:
                if "not found" in str(error.__cause__ or error):
                    return
                self._note(error)
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return

    async def update_heartbeat(self, worker_id: int) -> None:
        """Report that the worker is alive, if the database is available."""
        try:
            await self._answer(super().update_heartbeat(self._ids.get(worker_id, worker_id)))
        except (exceptions.ConnectorException, TimeoutError) as error:
            self._note(error)

    async def unregister_worker(self, worker_id: int) -> None:
        """Report that the worker ends. If the database is unavailable, the missing heartbeat says the same."""
        try:
            await self._answer(super().unregister_worker(self._ids.get(worker_id, worker_id)))
        except (exceptions.ConnectorException, TimeoutError) as error:
            self._note(error)

    async def listen_for_jobs(
        self, *, on_notification: Callable[..., Awaitable[None]], queues: Iterable[str] | None = None
    ) -> None:
        """Listen for new jobs. Without this, they are found within some seconds."""
        while True:
            try:
                await super().listen_for_jobs(on_notification=on_notification, queues=queues)
            except Exception as error:  # noqa: BLE001 - listening begins again after any error
                self._note(error)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _register_again(self, worker_id: int) -> None:
        """Register the worker again if it was removed after a long silence (an outage, a stopped process)."""
        try:
            alive = await self._answer(
                self.connector.execute_query_all_async(
                    "SELECT id FROM procrastinate_workers WHERE id = %(id)s", id=self._ids.get(worker_id, worker_id)
                )
            )
            if not alive:
                self._ids[worker_id] = await self._answer(self.register_worker())
                log.warning("this worker was considered dead; it is registered again")
        except (exceptions.ConnectorException, TimeoutError) as error:
            self._note(error)

    def _note(self, error: BaseException) -> None:
        if not self._away:  # once per outage
            self._away = True
            cause = error.__cause__ or error
            log.warning("queue of jobs unavailable (%s: %s)", type(cause).__name__, str(cause).strip())

    @staticmethod
    async def _answer(question: Awaitable[T]) -> T:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await question

"""A run for a site's code: its state, and methods to refresh it, stop it and wait for it."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from functools import partial
from typing import Any, Self

from netra.agents.follow_up.facts import RunFacts, run_facts
from netra.agents.ledger.endings import StopRun
from netra.agents.models import Run as RunRow
from netra.agents.service import get_runtime
from netra.agents.service.requested_starts import withdraw
from netra.agents.usage import Usage
from netra.site import crossing, wishes
from netra.site.missing import RunNotFound
from netra.site.run_state import RunError, RunState, look
from netra.site.transactions import after_commit, within_transaction
from netra.site.users import id_of
from websocket_core.database import db
from websocket_core.errors import NotFound
from websocket_core.journal import judge_now

FIRST_LOOK, LOOKS = 0.02, 0.5  # seconds between two queries of `wait`, at first and at most


class Run:
    """One run of a user, as it was when it was last read.

    Attributes:
        run_id, thread_id: the ids of the run and its thread, unique per user.
        user_id: the owner's id.
        existing: whether `start` found this run instead of starting a new one.
        agent_type: the agent's name, not an alias.
        input: the input of the agent.
        status: `queued`, `running`, `waiting` (for a person), `completed`, `failed` or `cancelled`.
        result: the agent's return value.
        error: why the run failed, with `code`, `message` and `incident`; otherwise `None`.
        usage: the usage so far: `input_tokens`, `output_tokens`, `total_tokens`, `cost` (a `Decimal`, or `None` if it
            is unknown) and `details`, the entries that the agent reported.
        started_at, ended_at: times in UTC, or `None` if the run has not started or ended.
    """

    __slots__ = (
        *("agent_type", "ended_at", "error", "existing", "input", "result", "run_id"),
        *("started_at", "status", "thread_id", "usage", "user_id"),
    )

    thread_id: str
    agent_type: str
    input: Any
    status: str
    result: Any
    error: RunError | None
    usage: Usage
    started_at: datetime | None
    ended_at: datetime | None

    def __init__(self, user_id: str, run_id: str, state: RunState, *, existing: bool = True) -> None:
        self.user_id, self.run_id, self.existing = str(user_id), run_id, existing
        self._take(state)

    def __repr__(self) -> str:
        return f"<Run {self.run_id} of {self.agent_type}: {self.status}>"

    @property
    def is_over(self) -> bool:
        """Whether the run had ended when it was last read."""
        return self.status not in ("queued", "running", "waiting")

    def refresh(self) -> Self:
        """Read the run's state again.

        Raises:
            RunNotFound: the run was deleted, or its start was rolled back or refused after the commit.
        """
        crossing.refuse_in_loop("run.refresh", "run.arefresh")
        return self._found(look(self.user_id, self.run_id))

    async def arefresh(self) -> Self:
        """See `refresh`."""
        return self._found(await crossing.read(look, self.user_id, self.run_id))

    def stop(self, reason: str | None = None) -> None:
        """Request that the run stops; `wait` returns when it has. Within a transaction, this happens after the commit.

        Args:
            reason: shown to the user; at most 1,024 characters.

        Raises:
            RunFinished: the run has already ended.
            RunNotFound: the run does not exist.
            InvalidAction: the reason is invalid.
            JournalUnavailable: the database is unavailable.
        """
        crossing.refuse_in_loop("run.stop", "run.astop")
        reason = self._reason(reason)
        if not within_transaction():
            crossing.wait_for("stop", partial(self._stop, reason))
        elif not withdraw(self.user_id, self.run_id):
            try:
                judge_now(
                    StopRun(self.user_id, self.thread_id, self.run_id, reason or "stopped", actor_id=self.user_id)
                )
            except NotFound:
                raise _no_run(self.run_id) from None
            stop = partial(crossing.wait_for, "stop", partial(self._stop, reason))
            after_commit(f"stopping run {self.run_id}", stop)

    async def astop(self, reason: str | None = None) -> None:
        """See `stop`."""
        reason = self._reason(reason)
        called, _ = await crossing.in_caller_s_transaction(partial(self.stop, reason))
        if not called:
            await crossing.await_for("stop", partial(self._stop, reason))

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until the run ends, with success or not.

        Args:
            timeout: seconds; `None` for no limit.

        Raises:
            TimeoutError: the run has not ended in time. It continues.
            RunNotFound: see `refresh`.
            RuntimeError: called within a transaction, which can see neither the start nor the end of the run.
        """
        crossing.refuse_in_loop("run.wait", "run.await_")
        if within_transaction():
            raise RuntimeError(
                "run.wait() was called within a database transaction, where the run cannot start and its end cannot be "
                "seen: wait after the commit (django.db.transaction.on_commit); in tests, use TransactionTestCase or "
                "@pytest.mark.django_db(transaction=True)."
            )
        end, pause = _end_of(timeout), FIRST_LOOK
        while not self.refresh().is_over:
            time.sleep(self._next(end, pause, timeout))
            pause = min(2 * pause, LOOKS)
        return self

    async def await_(self, timeout: float | None = None) -> Self:
        """See `wait`."""
        end, pause = _end_of(timeout), FIRST_LOOK
        while not self._found(await db.read(look, self.user_id, self.run_id)).is_over:
            await asyncio.sleep(self._next(end, pause, timeout))
            pause = min(2 * pause, LOOKS)
        return self

    def _next(self, end: float | None, pause: float, timeout: float | None) -> float:
        left = pause if end is None else end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"Run {self.run_id} is still {self.status} after {timeout:g} seconds. It continues.")
        return min(pause, left)

    def _take(self, state: RunState) -> None:
        for name in RunState.__slots__:
            setattr(self, name, getattr(state, name))

    def _found(self, state: RunState | None) -> Self:
        if state is None:
            raise _no_run(self.run_id)
        self._take(state)
        return self

    async def _stop(self, reason: str | None) -> None:
        try:
            await get_runtime().stop(user_id=self.user_id, run_id=self.run_id, reason=reason)
        except NotFound:
            if not await db.write(withdraw, self.user_id, self.run_id):
                raise _no_run(self.run_id) from None

    @staticmethod
    def _reason(reason: str | None) -> str | None:
        return None if reason is None else wishes.text(reason, "reason", wishes.REASON_LENGTH)


def get_run(run_id: str, *, user: Any) -> Run:
    """A user's run.

    Args:
        run_id: the run's id. Any value is accepted; an invalid id is not found.
        user: a Django user, or a user id.

    Raises:
        RunNotFound: this user has no such run.
    """
    crossing.refuse_in_loop("netra.get_run", "netra.aget_run")
    user_id = id_of(user)
    return _run_of(user_id, run_id, look(user_id, run_id))


async def aget_run(run_id: str, *, user: Any) -> Run:
    """See `get_run`."""
    user_id = id_of(user)
    return _run_of(user_id, run_id, await crossing.read(look, user_id, run_id))


def told_of(row: RunRow) -> Run | RunFacts:
    """The run that is sent with signals, or only its facts if its thread was deleted in the meantime."""
    state = look(row.owner_id, row.run_id)
    return run_facts(row) if state is None else Run(row.owner_id, row.run_id, state)


def _run_of(user_id: str, run_id: str, state: RunState | None) -> Run:
    if state is None:
        raise _no_run(run_id)
    return Run(user_id, run_id, state)


def _no_run(run_id: str) -> RunNotFound:
    return RunNotFound("There is no such run.", run_id=run_id)


def _end_of(timeout: float | None) -> float | None:
    return None if timeout is None else time.monotonic() + timeout

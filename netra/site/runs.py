"""A run in the hands of a site's code: what is known of it, and what can be wished of it."""

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

FIRST_LOOK, LOOKS = 0.02, 0.5  # seconds between two looks of `wait`, at first and at last


class Run:
    """One run of a user, as it was when it was last looked at.

    Attributes:
        run_id, thread_id: its names, among those of its user.
        user_id: whose it is.
        existing: whether a start found it instead of beginning it.
        agent_type: the agent's own name.
        input: what the agent was given.
        status: `queued`, `running`, `waiting` (for a person), `completed`, `failed` or `cancelled`.
        result: what the agent returned.
        error: why it failed, with `code`, `message` and `incident`; `None` unless it did.
        usage: what it has used so far: `input_tokens`, `output_tokens`, `total_tokens`, `cost` (a `Decimal`, or `None`
            where it is not known) and `details`, the entries that its agent reported.
        started_at, ended_at: UTC; `None` before.
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
        """Whether nothing of it changes any more, as far as was last looked."""
        return self.status not in ("queued", "running", "waiting")

    def refresh(self) -> Self:
        """Look again.

        Raises:
            RunNotFound: it is not there: its start was refused after a commit or rolled back, or it was deleted.
        """
        crossing.refuse_in_loop("run.refresh", "run.arefresh")
        return self._found(look(self.user_id, self.run_id))

    async def arefresh(self) -> Self:
        """See `refresh`."""
        return self._found(await crossing.read(look, self.user_id, self.run_id))

    def stop(self, reason: str | None = None) -> None:
        """Ask it to stop; `wait` tells when it has. Within a transaction it is asked after the commit.

        Args:
            reason: shown to the user; at most 1,024 characters.

        Raises:
            RunFinished: it is over.
            RunNotFound: it is not there.
            InvalidAction: the reason is none.
            JournalUnavailable: the database is away.
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
        """Wait until it is over, however it ends.

        Args:
            timeout: seconds; `None` waits as long as it takes.

        Raises:
            TimeoutError: it is not over yet. It goes on.
            RunNotFound: as `refresh`.
            RuntimeError: called within a transaction, in which a run can neither begin nor be seen to end.
        """
        crossing.refuse_in_loop("run.wait", "run.await_")
        if within_transaction():
            raise RuntimeError(
                "run.wait() was called within a database transaction, in which the run can neither begin nor be seen "
                "to end: wait after the commit (django.db.transaction.on_commit); in tests, use TransactionTestCase or "
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
            raise TimeoutError(f"Run {self.run_id} is {self.status} after {timeout:g} seconds; it goes on.")
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
        run_id: its name, or anything: what cannot be a name is not found.
        user: a Django user, or a user id.

    Raises:
        RunNotFound: this user has none of this name.
    """
    crossing.refuse_in_loop("netra.get_run", "netra.aget_run")
    user_id = id_of(user)
    return _run_of(user_id, run_id, look(user_id, run_id))


async def aget_run(run_id: str, *, user: Any) -> Run:
    """See `get_run`."""
    user_id = id_of(user)
    return _run_of(user_id, run_id, await crossing.read(look, user_id, run_id))


def told_of(row: RunRow) -> Run | RunFacts:
    """The run that signals tell of. One whose thread was deleted meanwhile is nobody's any more, and only its facts
    are told.
    """
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

"""One execution of an agent's body. Whatever the body does, the run ends properly and exactly once.

The body may raise before its first event, in the middle of a tool or after its last event. It may raise something that
is not an `Exception`, return a value that is too large or has no JSON form, ignore its cancellation, or never return.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from netra.agents.authoring.context import AgentContext
from netra.agents.authoring.facts import Rest
from netra.agents.authoring.sync_context import SyncAgentContext
from netra.agents.authoring.time_limit import TimeLimit
from netra.agents.blocking.monitor import run_name
from netra.agents.blocking.pool import in_blocking_thread, whose_code
from netra.agents.conf import conf
from netra.agents.execution.endings import SERVER_STOPPED, Ending, Endings
from netra.agents.execution.runnable import Runnable, is_async
from netra.agents.ledger import reading as run_reads
from websocket_core.database import db
from websocket_core.errors import JournalUnavailable, LeaseLostError, QuotaExceeded, RunOverError

log = logging.getLogger(__name__)


class Execution:
    """Supervises one body.

    Args:
        agent: an instance for this execution.
        context: the context of the execution.
    """

    def __init__(self, agent: Runnable, context: AgentContext) -> None:
        self.agent, self.context = agent, context
        self.abandoned: asyncio.Task[Any] | None = None  # a body that ignored its cancellation
        self._wish: tuple[str, str] | None = None
        self._wished = asyncio.Event()
        self._endings = Endings(agent.name, context)

    def stop(self, kind: str, reason: str = "") -> None:
        """End the execution.

        `kind` is `stopped` (by the user, with `reason`), `timeout` (after `reason` seconds), `server_stopped`,
        `quota_exceeded` or `lost` (the lease). The first call counts, except that a lost lease always counts.
        """
        if self._wish is None or kind == "lost":
            self._wish = (kind, reason)
            if kind == "lost":
                self.context.events.posted.lost = True
        self._wished.set()

    async def run(self, body: Callable[[], Awaitable[Any]]) -> Ending:
        """Run the body to its ending."""
        timeout = self.agent.timeout if self.agent.timeout is not None else conf.AGENT_TIMEOUT
        name = f"netra-run {self.agent.name} {self.context.run_id}"
        limit = self.context.time_limit = TimeLimit(timeout, lambda: self.stop("timeout", f"{timeout:g}"))
        # For agents that do not handle the error themselves.
        self.context.events.posted.room.when_refused(lambda error: self.stop(error.code))
        task = asyncio.create_task(_contained(body, name, self.context.user_id), name=name)
        wished = asyncio.create_task(self._wished.wait())
        try:
            await asyncio.wait({task, wished}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                return await self._end_early(task)
        except asyncio.CancelledError:
            task.cancel()
            raise
        finally:
            wished.cancel()
            limit.end()
        return await self._end_normally(task)

    async def _end_early(self, task: asyncio.Task[Any]) -> Ending:
        self.context.cancel()
        task.cancel()
        await asyncio.wait({task}, timeout=conf.STOP_GRACE_SECONDS)
        if not task.done():
            log.warning("%s ignores its cancellation; it is abandoned, and its run ends without it", task.get_name())
            self.abandoned = task
        try:
            await self.context.events.settle()
        except (LeaseLostError, RunOverError):
            return Ending(lost=True)
        except (JournalUnavailable, QuotaExceeded) as why:
            return await self._after_missing_events(why)
        finally:
            self.context.events.close()
        assert self._wish is not None
        kind, reason = self._wish  # read late: the lease may have been lost during the grace period
        if kind == "lost":
            return Ending(lost=True)
        if kind == "stopped":
            return self._endings.stopped(reason)
        if kind == SERVER_STOPPED:
            return self._endings.failed(
                SERVER_STOPPED, "The server was shut down before the run could end. You can start it again.", "Stopped."
            )
        return self._endings.failed(
            "timeout", f"The agent took longer than {reason} seconds.", "The time limit was reached."
        )

    async def _end_normally(self, task: asyncio.Task[Any]) -> Ending:
        outcome = task.result()
        error = outcome.error if isinstance(outcome, _Raised) else None
        try:
            await self.context.events.settle()
        except (LeaseLostError, RunOverError):
            return Ending(lost=True)
        except (JournalUnavailable, QuotaExceeded) as why:
            return await self._after_missing_events(why)
        finally:
            self.context.events.close()
        if error is not None:
            return self._endings.of_error(error)
        if isinstance(outcome, Rest):
            return Ending(rest=outcome.memory)
        return self._endings.completed(outcome)

    async def _after_missing_events(self, error: JournalUnavailable | QuotaExceeded) -> Ending:
        """Events are missing, so the journal is asked what is open, repeatedly while the database is unavailable."""
        while True:
            try:
                self.context.events.posted.grammar = await db.read(
                    run_reads.grammar_so_far, self.context.user_id, self.context.thread_id, self.context.run_id
                )
            except db.OUTAGE:
                await asyncio.sleep(0.5)
            else:
                if isinstance(error, JournalUnavailable):
                    return self._endings.failed(error.code, "The database was unavailable for too long.")
                return self._endings.failed(error.code, str(error), more=error.wire_fields)


@dataclass(frozen=True, slots=True)
class _Raised:
    error: BaseException


async def _contained(body: Callable[[], Awaitable[Any]], name: str, user_id: str) -> Any:
    """The body's result, or what it raised, as a value.

    Otherwise `SystemExit` and similar exceptions would end the event loop, and all runs with it.
    """
    run_name.set(name)
    whose_code.set(user_id)
    try:
        return await body()
    except BaseException as error:  # noqa: BLE001 - becomes part of the ending
        return _Raised(error)


def body_of(agent: Runnable, context: AgentContext, input: Any) -> Callable[[], Awaitable[Any]]:
    """A function that starts the agent. A sync body gets a thread and a blocking context."""
    if is_async(agent.run):
        return lambda: agent.run(context, input)
    blocking = SyncAgentContext(context, asyncio.get_running_loop())
    return lambda: in_blocking_thread(context.user_id, agent.run, blocking, input)

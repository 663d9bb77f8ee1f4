"""Executes the runs of this process.

The tasks own their leases and do not belong to a consumer, so they outlive the socket that started them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec

from netra.agents.authoring.context import AgentContext, RunInfo
from netra.agents.authoring.facts import Decision
from netra.agents.authoring.run_events import RunEvents
from netra.agents.blocking.pool import prepare_loop, use_own_thread
from netra.agents.conf import conf
from netra.agents.errors import UnknownAgentError
from netra.agents.execution import SERVER_STOPPED, Ending, Execution, body_of, past_runs
from netra.agents.executors import Executor
from netra.agents.ledger import reading as run_reads
from netra.agents.ledger.leases import ClaimRun, FinishRun, RestRun, rest_key
from netra.agents.ledger.moves import Event, Lease, with_usage
from netra.agents.observing import Tracer
from netra.agents.observing.run_watch import RunWatch, watch
from netra.agents.registry import AgentRegistry
from netra.agents.running.held_run import HeldRun
from netra.agents.running.keeper import Keeper
from netra.agents.running.leased_run import LeasedRun
from websocket_core.conf import conf as delivery_conf
from websocket_core.context import UserExecutionContext
from websocket_core.database import db
from websocket_core.errors import LeaseLostError
from websocket_core.gateway import get_gateway
from websocket_core.ids import RunID, ThreadID, UserID, new_id
from websocket_core.process import log_context
from websocket_core.process.heartbeat import this_process
from websocket_core.process.lifecycle import lifecycle
from websocket_core.process.tasks import process_task
from websocket_core.websocket_manager import create_websocket_manager
from websocket_core.wire import RunGrammar

log = logging.getLogger(__name__)


class Runner:
    """Executes leased runs on this event loop.

    Args:
        executor: executes the next run of a thread if this process is draining.
        tracer: creates the spans of executions.

    Attributes:
        begun: number of runs executed here so far.
    """

    def __init__(self, executor: Executor, tracer: Tracer) -> None:
        self._executor, self._tracer = executor, tracer
        self._held: dict[int, HeldRun] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._abandoned: set[asyncio.Task[Any]] = set()
        self.begun = 0
        self._keeper = Keeper(self._held, lambda: self._held or self._tasks)

    def holds(self, run_pk: int) -> bool:
        """Whether this process executes the run."""
        return run_pk in self._held

    def spawn(self, coroutine: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Create a task that the runner owns. It is finished even if its creator goes away."""
        task = process_task(coroutine, name, keeps_log_ids=True)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def execute(self, lease: Lease) -> asyncio.Task[Any]:
        """Execute a leased run, and then the runs that wait behind it in its thread."""
        self._held[lease.run_pk] = HeldRun(lease)
        self._keeper.start()
        return self.spawn(self._execute_all(lease), f"netra-lease {lease.run_id}")

    def look(self) -> None:
        """A stop or a decision may be new: check now."""
        self._keeper.look()

    async def idle(self) -> None:
        """Wait until every run here is over, including its follow-up work."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def drain(self) -> None:
        """Let runs continue for `DRAIN_SECONDS`, then end the rest as `server_stopped`. Idempotent."""
        deadline = time.monotonic() + delivery_conf.DRAIN_SECONDS
        while self._tasks and time.monotonic() < deadline:
            await asyncio.wait(set(self._tasks), timeout=deadline - time.monotonic())
        for held in list(self._held.values()):
            if held.execution is not None:
                held.execution.stop(SERVER_STOPPED)
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=conf.STOP_GRACE_SECONDS + 5)
        for task in (*self._tasks, *self._abandoned):
            task.cancel()
        await get_gateway().journal.flush()

    # --- one run after the other

    async def _execute_all(self, lease: Lease) -> None:
        following: Lease | None = lease
        while following is not None:
            current, following = following, None
            held = self._held[current.run_pk] = HeldRun(current)
            self.begun += 1
            try:
                following = await self._execute(held)
            except LeaseLostError:
                log.warning("run %s: the lease was lost to another process, which has ended the run", current.run_id)
            except Exception:
                log.exception("run %s could not be executed; it ends as worker_lost", current.run_id)
            finally:
                if self._held.get(current.run_pk) is held:  # it may have rested and already continue
                    del self._held[current.run_pk]
                log_context.bind(current.owner_id, connection=None)  # the next run has another connection

    async def _execute(self, held: HeldRun) -> Lease | None:
        with watch(held.lease, self._tracer) as watched:
            return await self._execute_watched(held, watched)

    async def _execute_watched(self, held: HeldRun, watched: RunWatch) -> Lease | None:
        lease = held.lease
        context = UserExecutionContext(
            lease.owner_id, lease.thread_id, lease.run_id, request_id=lease.request_id, fence=lease.fence
        )
        manager = create_websocket_manager(context)
        registry = AgentRegistry()
        registry.set_websocket_manager(manager)
        try:
            agent = registry.create_agent(lease.agent_type)
        except UnknownAgentError:
            log.error(
                "run %s: this process knows no agent %s; is its module in NETRA_AGENT_MODULES?",
                lease.run_id,
                lease.agent_type,
            )
            data = {"code": "agent_error", "message": "This agent is not available."}
            failed = Event("agent_failed", with_usage(data, lease.usage))
            return await watched.end(FinishRun(lease, [], failed, pass_on=self._pass_on()))
        except Exception:
            incident = new_id()
            log.exception("incident %s: agent %s cannot be created, run %s", incident, lease.agent_type, lease.run_id)
            message = f"The agent failed. Incident {incident}."
            failed = Event("agent_failed", with_usage({"code": "agent_error", "message": message}, lease.usage))
            return await watched.end(FinishRun(lease, [], failed, incident=incident, pass_on=self._pass_on()))
        run_events = RunEvents(manager, await self._grammar(lease))
        info = RunInfo(UserID(lease.owner_id), ThreadID(lease.thread_id), RunID(lease.run_id))
        if not lease.alone:
            info.history, info.load_history = await past_runs.loaded_or_loader(
                agent, lease.owner_id, lease.thread_id, lease.run_pk
            )
        agent_context = AgentContext(info, run_events, LeasedRun(lease, self._keeper.wait_for_decision))
        agent_context.usage = msgspec.json.decode(lease.usage) if lease.usage else None
        execution = held.execution = Execution(agent, agent_context)
        self.look()  # it may already have been stopped
        body = body_of(agent, agent_context, lease.input)
        if lease.resting:
            memory = await db.read(run_reads.memory, lease.owner_id, lease.thread_id, rest_key(lease.run_id)) or b""
            decisions = await db.read(run_reads.decisions_of, lease.run_pk)
            body = _proceed(agent.proceed, agent_context, memory, decisions)
        prepare_loop(asyncio.get_running_loop())
        use_own_thread(context.user_id)
        ending = await execution.run(body)
        if execution.abandoned is not None:
            self._abandoned.add(execution.abandoned)
            execution.abandoned.add_done_callback(self._abandoned.discard)
        return await self._finish(held, execution, ending, watched)

    async def _grammar(self, lease: Lease) -> RunGrammar:
        if lease.resting:
            return await db.read(run_reads.grammar_so_far, lease.owner_id, lease.thread_id, lease.run_id)
        grammar = RunGrammar()
        grammar.feed("agent_started", {})
        return grammar

    async def _finish(self, held: HeldRun, execution: Execution, ending: Ending, watched: RunWatch) -> Lease | None:
        journal, lease = get_gateway().journal, held.lease
        if ending.lost:
            raise LeaseLostError()
        if ending.rest is not None:
            watched.rest()
            if await journal.submit(RestRun(lease, ending.rest, held.usage())):
                return await journal.submit(ClaimRun(lease.owner_id, lease.thread_id, this_process.process_id))
            return None
        assert ending.terminal is not None
        run_events = execution.context.events
        closers = [Event(*closer) for closer in run_events.grammar.closers(ending.open_status, ending.open_error)]
        finish = FinishRun(
            lease, closers, ending.terminal, result=ending.result, incident=ending.incident, pass_on=self._pass_on()
        )
        return await watched.end(finish)

    def _pass_on(self) -> Executor | None:
        """The executor of the next run of a thread, if this process is draining and accepts nothing new."""
        return self._executor if lifecycle.draining else None


def _proceed(
    proceed: Callable[[AgentContext, bytes, dict[str, Decision]], Awaitable[Any]],
    context: AgentContext,
    memory: bytes,
    decisions: dict[str, Decision],
) -> Callable[[], Awaitable[Any]]:
    return lambda: proceed(context, memory, decisions)

"""The runs of this process.

Tasks that own their leases, outside of any consumer, so that they outlive the socket that started them.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from netra.agents.authoring.context import AgentContext, RunInfo
from netra.agents.authoring.facts import Decision
from netra.agents.authoring.run_events import RunEvents
from netra.agents.blocking.monitor import LoopMonitor
from netra.agents.blocking.pool import prepare_loop, use_own_thread
from netra.agents.conf import conf
from netra.agents.errors import UnknownAgentError
from netra.agents.execution import past_runs
from netra.agents.execution.endings import SERVER_STOPPED, Ending
from netra.agents.execution.execution import Execution, body_of
from netra.agents.ledger import reading as run_reads
from netra.agents.ledger.leases import ClaimRun, FinishRun, RestRun, rest_key
from netra.agents.ledger.moves import Event, Lease, with_usage
from netra.agents.ledger.statements import lease_end
from netra.agents.models import ACTIVE, Run
from netra.agents.observing.run_watch import RunWatch, watch
from netra.agents.registry.registered import AgentRegistry
from netra.agents.running.bell import listen
from netra.agents.running.leased_run import LeasedRun
from websocket_core.conf import conf as delivery_conf
from websocket_core.context import UserExecutionContext
from websocket_core.database import db
from websocket_core.errors import LeaseLostError
from websocket_core.gateway import get_gateway
from websocket_core.ids import RunID, ThreadID, UserID, new_id
from websocket_core.process import log_context
from websocket_core.process.background import Outage, repeat
from websocket_core.process.heartbeat import this_process
from websocket_core.process.lifecycle import lifecycle
from websocket_core.process.tasks import process_task
from websocket_core.websocket_manager import create_websocket_manager
from websocket_core.wire import RunGrammar, encoding

log = logging.getLogger(__name__)


class Runner:
    """Executes leased runs on this event loop, renews their leases, and passes wishes on to them."""

    def __init__(self) -> None:
        self._executions: dict[int, Execution] = {}
        self._kept_usage: dict[int, str] = {}  # by run: the usage that is in the database
        self._leases: dict[int, Lease] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._abandoned: set[asyncio.Task[Any]] = set()
        self._waiting: dict[tuple[str, str], asyncio.Future[Decision]] = {}  # (user, approval) -> the body that waits
        self.begun = 0  # runs executed here so far
        self._look_now = asyncio.Event()
        self._renewed = -math.inf  # time.monotonic(): when the leases were renewed
        self._leases_outage = Outage(log, "leases")
        self._keeper: asyncio.Task[None] | None = None
        self._listener: asyncio.Task[None] | None = None
        self._monitor = LoopMonitor()

    def __len__(self) -> int:
        return len(self._leases)

    def holds(self, run_pk: int) -> bool:
        """Whether this process executes the run."""
        return run_pk in self._leases

    def spawn(self, coroutine: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """A task that the runner owns: it is finished even when whoever asked for it goes away."""
        task = process_task(coroutine, name, keeps_log_ids=True)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def execute(self, lease: Lease) -> asyncio.Task[Any]:
        """Execute a leased run, and then whatever waits behind it in its thread."""
        self._leases[lease.run_pk] = lease
        if self._keeper is None:
            self._keeper = process_task(self._keep(), "netra-runner")
            self._listener = process_task(listen(self.look), "netra-runner-listen")
            self._monitor.start(asyncio.get_running_loop())
        return self.spawn(self._execute_all(lease), f"netra-lease {lease.run_id}")

    def look(self) -> None:
        """Somebody's wishes changed: look now."""
        self._look_now.set()

    async def wait_for_decision(self, user_id: str, approval_id: str) -> Decision:
        """Wait until an approval is decided."""
        key = (user_id, approval_id)
        future: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        self._waiting[key] = future
        self.look()
        try:
            return await future
        finally:
            self._waiting.pop(key, None)

    async def drain(self) -> None:
        """Give the runs their time, then end what is left as `server_stopped`."""
        deadline = time.monotonic() + delivery_conf.DRAIN_SECONDS
        while self._tasks and time.monotonic() < deadline:
            await asyncio.wait(set(self._tasks), timeout=deadline - time.monotonic())
        for execution in list(self._executions.values()):
            execution.stop(SERVER_STOPPED)
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
            self._leases[current.run_pk] = current
            self.begun += 1
            try:
                following = await self._execute(current)
            except LeaseLostError:
                log.warning("run %s: the lease was lost; whoever took it has ended the run", current.run_id)
            except Exception:
                log.exception("run %s could not be executed; it ends as worker_lost", current.run_id)
            finally:
                self._leases.pop(current.run_pk, None)
                self._executions.pop(current.run_pk, None)
                log_context.bind(current.user_id, connection=None)  # the next run came by another one

    async def _execute(self, lease: Lease) -> Lease | None:
        with watch(lease) as watched:
            return await self._execute_watched(lease, watched)

    async def _execute_watched(self, lease: Lease, watched: RunWatch) -> Lease | None:
        context = UserExecutionContext(
            lease.user_id, lease.thread_id, lease.run_id, request_id=lease.request_id, fence=lease.fence
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
            return await watched.end(FinishRun(lease, [], failed, take_next=not lifecycle.draining))
        except Exception:
            incident = new_id()
            log.exception("incident %s: agent %s cannot be made, run %s", incident, lease.agent_type, lease.run_id)
            message = f"The agent failed. Incident {incident}."
            failed = Event("agent_failed", with_usage({"code": "agent_error", "message": message}, lease.usage))
            return await watched.end(FinishRun(lease, [], failed, incident=incident, take_next=not lifecycle.draining))
        run_events = RunEvents(manager, await self._grammar(lease))
        info = RunInfo(UserID(lease.user_id), ThreadID(lease.thread_id), RunID(lease.run_id))
        if not lease.alone:
            info.history, info.load_history = await past_runs.loaded_or_loader(
                agent, lease.user_id, lease.thread_id, lease.run_pk
            )
        agent_context = AgentContext(info, run_events, LeasedRun(lease, self.wait_for_decision))
        agent_context.usage = msgspec.json.decode(lease.usage) if lease.usage else None
        execution = self._executions[lease.run_pk] = Execution(agent, agent_context)
        self.look()  # it may have been stopped already
        body = body_of(agent, agent_context, lease.input)
        if lease.resting:
            memory = await db.read(run_reads.memory, lease.user_id, lease.thread_id, rest_key(lease.run_id)) or b""
            decisions = await db.read(run_reads.decisions_of, lease.run_pk)
            body = _proceed(agent.proceed, agent_context, memory, decisions)
        prepare_loop(asyncio.get_running_loop())
        use_own_thread(lease.user_id)
        ending = await execution.run(body)
        if execution.abandoned is not None:
            self._abandoned.add(execution.abandoned)
            execution.abandoned.add_done_callback(self._abandoned.discard)
        return await self._finish(lease, execution, ending, watched)

    async def _grammar(self, lease: Lease) -> RunGrammar:
        if lease.resting:
            return await db.read(run_reads.grammar_so_far, lease)
        grammar = RunGrammar()
        grammar.feed("agent_started", {})
        return grammar

    async def _finish(self, lease: Lease, execution: Execution, ending: Ending, watched: RunWatch) -> Lease | None:
        journal = get_gateway().journal
        if ending.lost:
            raise LeaseLostError()
        if ending.rest is not None:
            watched.rest()
            if await journal.submit(RestRun(lease, ending.rest, _usage_of(execution))):
                again: Lease | None = await journal.submit(
                    ClaimRun(lease.user_id, lease.thread_id, this_process.process_id)
                )
                return again
            return None
        assert ending.terminal is not None
        run_events = execution.context.events
        closers = [Event(*closer) for closer in run_events.grammar.closers(ending.open_status, ending.open_error)]
        finish = FinishRun(
            lease,
            closers,
            ending.terminal,
            result=ending.result,
            incident=ending.incident,
            take_next=not lifecycle.draining,
        )
        return await watched.end(finish)

    # --- leases and wishes

    async def _keep(self) -> None:
        """Renew leases and look for wishes, while there are runs."""
        try:
            await repeat(Outage(log, "runner"), self._look_after_runs, active=lambda: self._leases or self._tasks)
        finally:
            self._keeper = None
            self._monitor.stop()
            if self._listener is not None:
                self._listener.cancel()
                self._listener = None

    async def _look_after_runs(self) -> None:
        try:
            async with asyncio.timeout(conf.LOOK_SECONDS):
                await self._look_now.wait()
        except TimeoutError:
            pass
        self._look_now.clear()
        with self._leases_outage.outlived():  # leases that cannot be renewed must not keep a stop from its run
            await self._renew_leases()
        await self._pass_wishes_on()

    async def _renew_leases(self) -> None:
        asked = time.monotonic()
        if asked - self._renewed >= delivery_conf.HEARTBEAT_SECONDS:
            await db.write(_renew, list(self._leases), this_process.process_id)
            self._renewed = asked  # only now: after an outage the leases are the first thing to mend
            await self._keep_usage()

    async def _keep_usage(self) -> None:
        """Write down what the runs have reported since the last time, for whoever ends them if this process dies."""
        news: dict[int, str] = {}
        for run_pk, execution in self._executions.items():
            usage = _usage_of(execution)
            if usage and self._kept_usage.get(run_pk) != usage:
                news[run_pk] = usage
        if news:
            await db.write(_write_usage, news, this_process.process_id)
            self._kept_usage.update(news)
        for run_pk in self._kept_usage.keys() - self._executions.keys():
            del self._kept_usage[run_pk]

    async def _pass_wishes_on(self) -> None:
        asked = dict(self._executions)  # runs may come and go during the question
        found = await db.read(run_reads.wishes, list(asked)) if asked else {}
        for run_pk, execution in asked.items():
            wish = found.get(run_pk)
            if wish is None or wish.status not in ACTIVE or wish.worker_id != this_process.process_id:
                execution.stop("lost")  # a run that is ending by itself does not listen any more
            elif wish.stop:
                execution.stop("stopped", wish.reason)
        if self._waiting:
            for key, decision in (await db.read(run_reads.decisions, set(self._waiting))).items():
                future = self._waiting.get(key)
                if future is not None and not future.done():
                    self._note_resolved(key)
                    future.set_result(decision)

    def _note_resolved(self, key: tuple[str, str]) -> None:
        """The event was journalled by whoever decided; the run's own grammar has to know of it."""
        for execution in self._executions.values():
            if execution.context.user_id == key[0]:
                execution.context.events.grammar.approvals.pop(key[1], None)


def _proceed(
    proceed: Callable[[AgentContext, bytes, dict[str, Decision]], Awaitable[Any]],
    context: AgentContext,
    memory: bytes,
    decisions: dict[str, Decision],
) -> Callable[[], Awaitable[Any]]:
    return lambda: proceed(context, memory, decisions)


def _renew(run_pks: list[int], worker_id: str) -> None:
    held = Run.objects.filter(pk__in=run_pks, worker_id=worker_id, status__in=ACTIVE, resting=False)
    held.update(lease_until=lease_end())


def _write_usage(usage: dict[int, str], worker_id: str) -> None:
    for run_pk, text in usage.items():
        held = Run.objects.filter(pk=run_pk, worker_id=worker_id, status__in=ACTIVE, resting=False)
        held.update(usage=text)


def _usage_of(execution: Execution) -> str:
    usage = execution.context.usage
    return "" if usage is None else encoding.encode(usage)


_runners: WeakKeyDictionary[asyncio.AbstractEventLoop, Runner] = WeakKeyDictionary()


def get_runner() -> Runner:
    """The runner of the running event loop."""
    loop = asyncio.get_running_loop()
    runner = _runners.get(loop)
    if runner is None:
        runner = _runners[loop] = Runner()
        get_gateway().own(runner)
    return runner

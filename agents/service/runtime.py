"""The runtime: everything that an event loop needs for runs, and the operations for clients.

It implements `websocket_core.protocols.run_service.RunService`. Work is recorded before it is reported. If a client
disconnects in the middle, nothing changes: tasks of the runner finish what was begun.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from netra.agents.executors import Executor, make_executor
from netra.agents.follow_up import announcer
from netra.agents.ledger import answers as approval_answers
from netra.agents.ledger import reading as run_reads
from netra.agents.ledger.approvals import Arguments, DecideApproval
from netra.agents.ledger.endings import StopRun
from netra.agents.ledger.starts import StartRun
from netra.agents.models import OPEN
from netra.agents.observing import Span, Tracer, make_tracer, metrics
from netra.agents.observing.run_watch import ended
from netra.agents.registry import discover
from netra.agents.running import Runner
from netra.agents.service.dispatcher import Dispatcher
from netra.agents.service.erasure import Erasures
from netra.agents.service.requested_starts import begin_requested
from netra.agents.service.run_inputs import checked_input
from netra.agents.service.sweeper import Step, Sweeper
from netra.agents.service.unclaimed_runs import RunTaker
from netra.agents.start_policy import startable
from websocket_core.database import db
from websocket_core.errors import (
    AlreadyDecided,
    ClientError,
    Draining,
    InvalidAction,
    NotFound,
    RateLimited,
    RunFinished,
    TooLarge,
)
from websocket_core.gateway import get_gateway
from websocket_core.limits import start_limiter
from websocket_core.process import log_context
from websocket_core.process.heartbeat import this_process
from websocket_core.process.lifecycle import lifecycle
from websocket_core.protocols.run_service import RunState, StartOutcome, StartRequest
from websocket_core.wire import encoding, events

log = logging.getLogger(__name__)


class RunRuntime:
    """Owns everything of an event loop for runs. Records runs, stops and decisions.

    Each event loop has one. It is a part of the loop's gateway, which drains it, and `get_runtime` finds it.

    Args:
        executor: decides who executes runs.
        tracer: creates their spans.

    Attributes:
        runner: executes the runs that are leased here.
        dispatcher: sends runs to the process that executes them.
        sweeper: finds lost runs while the loop serves.
        taker: claims queued runs that no process executes, while the loop serves.
        erasures: deletes all data of users who are to be erased.
        numbers: metrics of open runs for Prometheus.
    """

    def __init__(self, executor: Executor, tracer: Tracer) -> None:
        self._executor, self._tracer = executor, tracer
        self.runner = Runner(executor, tracer)
        self.dispatcher = Dispatcher(executor, self.runner)
        self.erasures = Erasures(self.stop, self.runner.spawn, executor)
        more: list[Step] = [
            ("requested starts", partial(begin_requested, self.start)),
            ("erasures", self.erasures.go_on),
        ]
        self.sweeper = Sweeper(self.dispatcher, self.runner, tracer, self.decide, more)
        self.taker = RunTaker(self.dispatcher, self.runner)
        self.numbers = metrics.Numbers()

    def serve(self) -> None:
        """Start the background work of a serving loop. Idempotent."""
        discover()  # before the process is ready; `serve` has already done it before listening
        self.dispatcher.listen()
        self.sweeper.start()
        self.taker.start()

    async def drain(self) -> None:
        """Stop the background work, then end the runs. Idempotent."""
        await self.sweeper.stop()
        await self.taker.stop()
        await self.runner.drain()
        await announcer.drain()
        await self.dispatcher.stop()

    async def start(self, request: StartRequest) -> StartOutcome:
        """Create a run, or find the one with this id.

        Raises:
            UnknownAgentError, InvalidAction, TooLarge, ThreadBusy, RunLimit, QuotaExceeded, RateLimited, Draining,
                JournalUnavailable: see the wire protocol's error codes.
        """
        with self._tracer.starting(request.user_id, request.connection_id, request.request_id) as span:
            try:
                outcome = await self._begin(span, request)
            except ClientError as error:
                _note_start(span, error.code, refused=True)
                raise
            _note_start(span, "existing" if outcome.existing else "started")
            return outcome

    async def _begin(self, span: Span, request: StartRequest) -> StartOutcome:
        await get_gateway().journal.own_transaction.refuse()
        if request.run_id is not None:
            found = await db.read(run_reads.find_run, request.user_id, request.run_id)
            if found is not None:
                if request.thread_id not in (None, found.thread_id):
                    raise InvalidAction(
                        "This run_id belongs to another thread.", field="thread_id", run_id=request.run_id
                    )
                span.about(found.agent_type, found.thread_id, request.run_id)
                return StartOutcome(found.thread_id, request.run_id, existing=True, first_seq=found.first_seq)
        if lifecycle.draining:
            raise Draining(retry_after_ms=500)
        # Before the agent is looked up: the answer must not reveal whether an agent exists that the user may not start.
        retry_after_ms = start_limiter.take(request.user_id)
        if retry_after_ms is not None:
            raise RateLimited("Too many runs started. Wait for retry_after_ms.", retry_after_ms=retry_after_ms)
        kind, input = await startable(
            request.user_id, request.agent_type, lambda kind: checked_input(request, kind), request.input
        )
        operation = StartRun(
            replace(request, agent_type=kind.name),
            input,
            worker_id=this_process.process_id if get_gateway().serves else "",
            executor=self._executor,
        )
        span.about(kind.name, operation.key[1], operation.run_id)
        with self._tracer.recording() as operation.trace:
            work = self._start(operation, span.trace_id, request.connection_id)
            return await asyncio.shield(self.runner.spawn(work, f"netra-start {operation.run_id}"))

    async def _start(self, operation: StartRun, trace_id: str, connection_id: str | None) -> StartOutcome:
        started = await get_gateway().journal.submit(operation)
        if not started.outcome.existing:
            owner_id, thread = operation.key
            ids = {"thread": thread, "run": operation.run_id, "request": operation.request_id, "trace": trace_id}
            with log_context.bound(owner_id, connection=connection_id, **ids):
                log.info("run recorded", extra={"agent": operation.agent_type})
                if started.unclaimed:
                    await self._offer()
        if started.lease is not None:
            self.dispatcher.execute(started.lease)
        if started.stopped:
            self.dispatcher.tell_runners()
        return started.outcome

    async def stop(self, *, user_id: str, run_id: str, reason: str | None) -> None:
        """Ask a run to stop.

        Raises:
            NotFound, RunFinished, JournalUnavailable: see the wire protocol's error codes.
        """
        found = await db.read(run_reads.find_run, user_id, run_id)
        if found is None:
            raise NotFound("There is no such run.", run_id=run_id)
        if found.status not in OPEN:
            raise RunFinished(run_id=run_id)
        operation = StopRun(user_id, found.thread_id, run_id, reason or "stopped", actor_id=user_id)
        await asyncio.shield(self.runner.spawn(self._stop(operation, found.agent_type), f"netra-stop {run_id}"))

    async def _stop(self, operation: StopRun, agent_type: str) -> None:
        stopped = await get_gateway().journal.submit(operation)
        if stopped.asked:
            self.dispatcher.tell_runners()
            return
        ended(agent_type, "cancelled")
        if stopped.freed:
            await self.dispatcher.proceed(*operation.key)

    async def respond(
        self, *, user_id: str, run_id: str, approval_id: str, approved: bool, value: Any, arguments: Arguments = None
    ) -> None:
        """Decide an approval.

        Raises:
            NotFound, AlreadyDecided, JournalUnavailable: see the wire protocol's error codes.
            InvalidAction: the run would not understand the value. Nothing is decided.
        """
        found = await db.read(run_reads.find_run, user_id, run_id)
        if found is None:
            raise NotFound("There is no such approval.", run_id=run_id)
        encoded = ""
        for field, given in (("value", value), ("arguments", arguments)):
            try:
                encoded += encoding.encode({field: given})
                events.check_size(encoded, found.thread_id, run_id)
            except encoding.UnserialisableError as error:
                raise InvalidAction(str(error), field=field) from None
            except events.EventTooLargeError as error:
                raise TooLarge(str(error), field=field) from None
        if approved:
            await db.read(approval_answers.check, user_id, run_id, approval_id, value)
        answer: dict[str, Any] = {"approved": approved, "value": value, "arguments": arguments}
        await self.decide(user_id, found.thread_id, run_id, approval_id, **answer, by="user", actor_id=user_id)

    async def decide(
        self,
        owner_id: str,
        thread_id: str,
        run_id: str,
        approval_id: str,
        *,
        approved: bool,
        value: Any,
        by: str,
        actor_id: str = "",
        arguments: Arguments = None,
    ) -> None:
        """Decide an approval, by a user or by the system, and let its run proceed.

        Args:
            by: `user`, `expired` or `cancelled`.
            actor_id: the user, if there is one.
        """
        answer: dict[str, Any] = {"approved": approved, "value": value, "arguments": arguments}
        operation = DecideApproval(owner_id, thread_id, run_id, approval_id, **answer, by=by, actor_id=actor_id)
        await asyncio.shield(self.runner.spawn(self._decide(operation), f"netra-decide {run_id}"))

    async def _decide(self, operation: DecideApproval) -> None:
        try:
            decided = await get_gateway().journal.submit(operation)
        except AlreadyDecided:
            # Possibly by this very answer: one that comes too late expires the question.
            await self.dispatcher.proceed(*operation.key)
            raise
        finally:
            self.dispatcher.tell_runners()
        if decided.resting:
            await self.dispatcher.proceed(*operation.key)

    async def thread_states(self, user_id: str, thread_ids: Sequence[str]) -> Mapping[str, RunState]:
        """The active run of each of these threads, otherwise the latest."""
        return await db.read(run_reads.thread_states, user_id, list(thread_ids))

    async def _offer(self) -> None:
        """Notify processes that can execute a new run. If there is none, log that."""
        self.dispatcher.tell_runners()
        if await db.read(run_reads.somebody_serves):
            log.info("this process executes no runs; the run is queued for a serving process")
        else:
            log.warning(
                "this process executes no runs, and no serving process is known; the run is queued until there is one: "
                "start `manage.py serve`, or any ASGI server with Netra's consumer"
            )


def _note_start(span: Span, outcome: str, *, refused: bool = False) -> None:
    span.outcome(outcome, failed=refused)
    metrics.run_starts.labels(outcome=outcome).inc()


def get_runtime() -> RunRuntime:
    """The runtime of the running event loop. If tracing is on, the first call may take a second.

    Raises:
        RuntimeError: no event loop is running.
        ImproperlyConfigured: `NETRA_EXECUTOR` does not name an executor.
    """
    return get_gateway().part(_make)


def _make() -> RunRuntime:
    return RunRuntime(make_executor(), make_tracer())

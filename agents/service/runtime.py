"""The run service: what clients may do with runs (`websocket_core.run_service.RunService`).

Work is recorded first and told afterwards; a client that goes away in the middle changes nothing, since what was
begun is finished by tasks the runner owns.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from netra.agents.base import BaseAgent
from netra.agents.executors import get_executor
from netra.agents.ledger import answers as approval_answers
from netra.agents.ledger import reading as run_reads
from netra.agents.ledger.approvals import DecideApproval, Decided
from netra.agents.ledger.endings import Stopped, StopRun
from netra.agents.ledger.leases import ClaimRun
from netra.agents.ledger.starts import Started, StartRun
from netra.agents.models import OPEN, Run
from netra.agents.observing import metrics
from netra.agents.observing.run_watch import ended
from netra.agents.observing.tracing import Span, get_tracer
from netra.agents.registry.registered import find
from netra.agents.running.bell import RUNNERS_NEWS
from netra.agents.running.runner import get_runner
from websocket_core.bell import ring_after_commit
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
from websocket_core.ids import new_id
from websocket_core.journal.group_commit import commit_now
from websocket_core.limits import start_limiter
from websocket_core.process import log_context
from websocket_core.process.heartbeat import this_process
from websocket_core.process.lifecycle import lifecycle
from websocket_core.run_service import RunState, StartOutcome, StartRequest
from websocket_core.wire import encoding, events

log = logging.getLogger(__name__)


class RunRuntime:
    """Records runs, and what people want of them."""

    async def start(self, request: StartRequest) -> StartOutcome:
        """Create a run, or find the one that has this id.

        Raises:
            UnknownAgentError, InvalidAction, TooLarge, ThreadBusy, RunLimit, QuotaExceeded, RateLimited, Draining,
            JournalUnavailable: see the wire's error codes.
        """
        with get_tracer().starting(request.user_id, request.connection_id, request.request_id) as span:
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
        kind = find(request.agent_type)
        retry_after_ms = start_limiter.take(request.user_id)
        if retry_after_ms is not None:
            raise RateLimited(
                "Too many runs started. Wait as long as retry_after_ms says.", retry_after_ms=retry_after_ms
            )
        operation = StartRun(
            replace(request, agent_type=kind.name),
            _checked_input(request, kind),
            worker_id=this_process.process_id if get_gateway().serves else "",
            executor=get_executor(),
        )
        span.about(kind.name, operation.key[1], operation.run_id)
        with get_tracer().recording() as operation.trace:
            work = self._start(operation, span.trace_id, request.connection_id)
            return await asyncio.shield(get_runner().spawn(work, f"netra-start {operation.run_id}"))

    async def _start(self, operation: StartRun, trace_id: str, connection_id: str | None) -> StartOutcome:
        started: Started = await get_gateway().journal.submit(operation)
        if not started.outcome.existing:
            user_id, thread = operation.key
            ids = {"thread": thread, "run": operation.run_id, "request": operation.request_id, "trace": trace_id}
            with log_context.bound(user_id, connection=connection_id, **ids):
                log.info("run recorded", extra={"agent": operation.agent_type})
                if started.unclaimed:
                    await self._offer()
        if started.lease is not None:
            get_runner().execute(started.lease)
        if started.stopped:
            await self._tell_runners()
        return started.outcome

    async def stop(self, *, user_id: str, run_id: str, reason: str | None) -> None:
        """Ask a run to stop.

        Raises:
            NotFound, RunFinished, JournalUnavailable.
        """
        found = await db.read(run_reads.find_run, user_id, run_id)
        if found is None:
            raise NotFound("There is no such run.", run_id=run_id)
        if found.status not in OPEN:
            raise RunFinished(run_id=run_id)
        operation = StopRun(user_id, found.thread_id, run_id, reason or "stopped")
        await asyncio.shield(get_runner().spawn(self._stop(operation, found.agent_type), f"netra-stop {run_id}"))

    async def _stop(self, operation: StopRun, agent_type: str) -> None:
        stopped: Stopped = await get_gateway().journal.submit(operation)
        if stopped.asked:
            await self._tell_runners()
            return
        ended(agent_type, "cancelled")
        if stopped.freed:
            await self.proceed(*operation.key)

    async def respond(self, *, user_id: str, run_id: str, approval_id: str, approved: bool, value: Any) -> None:
        """Decide an approval.

        Raises:
            NotFound, AlreadyDecided, JournalUnavailable.
            InvalidAction: the run would not understand the value; nothing is decided.
        """
        found = await db.read(run_reads.find_run, user_id, run_id)
        if found is None:
            raise NotFound("There is no such approval.", run_id=run_id)
        try:
            events.check_size(encoding.encode({"value": value}), found.thread_id, run_id)
        except encoding.UnserialisableError as error:
            raise InvalidAction(str(error), field="value") from None
        except events.EventTooLargeError as error:
            raise TooLarge(str(error), field="value") from None
        if approved:
            await db.read(approval_answers.check, user_id, run_id, approval_id, value)
        await self.decide(user_id, found.thread_id, run_id, approval_id, approved=approved, value=value, by="user")

    async def decide(
        self, user_id: str, thread_id: str, run_id: str, approval_id: str, *, approved: bool, value: Any, by: str
    ) -> None:
        """Decide an approval, whoever does it, and let its run go on."""
        operation = DecideApproval(user_id, thread_id, run_id, approval_id, approved=approved, value=value, by=by)
        await asyncio.shield(get_runner().spawn(self._decide(operation), f"netra-decide {run_id}"))

    async def _decide(self, operation: DecideApproval) -> None:
        try:
            decided: Decided = await get_gateway().journal.submit(operation)
        except AlreadyDecided:
            await self.proceed(*operation.key)  # by this answer, maybe: one that came too late voids the question
            raise
        finally:
            await self._tell_runners()
        if decided.resting:
            await self.proceed(*operation.key)

    def executes(self) -> bool:
        """Whether serving processes execute runs themselves, rather than workers."""
        return get_executor().claims_at_start

    async def proceed(self, user_id: str, thread_id: str) -> None:
        """Let whatever can go on in a thread go on: here, or where the executor sends it."""
        executor = get_executor()
        if executor.claims_at_start:
            if lifecycle.draining or not get_gateway().serves:
                await self._tell_runners()  # a process that can execute it takes it
                return
            lease = await get_gateway().journal.submit(ClaimRun(user_id, thread_id, this_process.process_id))
            if lease is not None:
                get_runner().execute(lease)
            return
        await db.write(_enqueue_next, user_id, thread_id)

    async def thread_states(self, user_id: str, thread_ids: Sequence[str]) -> Mapping[str, RunState]:
        """The active, else the latest run of each of these threads."""
        return await db.read(run_reads.thread_states, user_id, list(thread_ids))

    async def _offer(self) -> None:
        """Tell those who can execute a new run of it, and the log when there is nobody."""
        await self._tell_runners()
        if await db.read(run_reads.somebody_serves):
            log.info("this process executes no runs; the run is queued for one that serves")
        else:
            log.warning(
                "this process executes no runs, and none that serves is known; the run is queued until one comes: "
                "start `manage.py serve`, or any ASGI server with Netra's consumer"
            )

    async def _tell_runners(self) -> None:
        get_runner().look()
        get_gateway().bell.ring(RUNNERS_NEWS)


def _note_start(span: Span, outcome: str, *, refused: bool = False) -> None:
    span.outcome(outcome, failed=refused)
    metrics.run_starts.labels(outcome=outcome).inc()


def _checked_input(request: StartRequest, kind: type[BaseAgent]) -> str:
    """The input as JSON.

    Raises:
        InvalidAction: it has no JSON form (nested too deeply), or the agent does not take it.
        TooLarge: `agent_started` would be larger than an event may be.
    """
    try:
        text = encoding.encode(request.input)
        data = {"agent_type": kind.name, "input": msgspec.Raw(text.encode()), "request_id": request.request_id}
        events.check_size(encoding.encode(data), request.thread_id or new_id(), request.run_id or new_id())
    except encoding.UnserialisableError as error:
        raise InvalidAction(str(error), field="input") from None
    except events.EventTooLargeError as error:
        raise TooLarge(str(error), field="input") from None
    kind.check_input(request.input)
    return text


def _enqueue_next(user_id: str, thread_id: str) -> None:
    runs = Run.objects.filter(user_id=user_id, thread__thread_id=thread_id, status__in=OPEN)
    run = (
        runs.filter(resting=True).first()
        or runs.filter(status="queued", thread__active_run_id=None).order_by("pk").first()
    )
    if run is not None:
        get_executor().enqueue(run, again=True)


def request_stop(run: Run, reason: str) -> bool:
    """Ask a run to stop, from synchronous code (the admin).

    Returns:
        `False` when it was over already.
    """
    if run.status not in OPEN:
        return False
    thread_id = run.thread.thread_id
    try:
        stopped: Stopped = commit_now(StopRun(run.user_id, thread_id, run.run_id, reason or "stopped"))
    except RunFinished:
        return False
    if stopped.freed and not get_executor().claims_at_start:
        _enqueue_next(run.user_id, thread_id)
    elif stopped.freed or stopped.asked:
        ring_after_commit(RUNNERS_NEWS)
    return True

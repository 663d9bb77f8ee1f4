"""One execution of an agent's body: it may do what it likes, the run ends properly all the same.

Raises before the first event, in the middle of a tool, after returning; raises what is no `Exception`; returns what
JSON cannot express or what is too large; swallows its cancellation; never returns:
there is exactly one ending, and nothing of an exception's text in it unless the author meant it for the person.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from netra.agents.authoring.context import AgentContext, RunInfo
from netra.agents.authoring.facts import Rest
from netra.agents.authoring.run_events import RunEvents
from netra.agents.authoring.sync_context import SyncAgentContext
from netra.agents.authoring.time_limit import TimeLimit
from netra.agents.base import BaseAgent, is_async
from netra.agents.blocking.monitor import run_name
from netra.agents.blocking.pool import in_blocking_thread, whose_code
from netra.agents.conf import conf
from netra.agents.errors import AGENT_CODES, AgentError, ModelRefused, author_text, meant_for_people
from netra.agents.execution import past_runs
from netra.agents.ledger import reading as run_reads
from netra.agents.ledger.moves import Event
from netra.agents.texts import expressible
from websocket_core.database import db
from websocket_core.errors import JournalUnavailable, LeaseLostError, QuotaExceeded, RunOverError
from websocket_core.ids import new_id
from websocket_core.protocols import WebSocketManagerProtocol
from websocket_core.unified_manager import UnifiedWebSocketManager
from websocket_core.wire import encoding, events

log = logging.getLogger(__name__)

SERVER_STOPPED = "server_stopped"
MAX_RETRY_AFTER_MS = 7 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Ending:
    """How an execution ended: a terminal event, or rest, or nothing because the run is somebody else's by now."""

    terminal: Event | None = None
    open_status: str = "error"  # how open tool calls are closed
    open_error: str = "The agent ended before this call was finished."
    result: str = ""  # JSON
    value: Any = None
    error: BaseException | None = None
    incident: str = ""
    rest: bytes | None = None
    lost: bool = False


class Execution:
    """Supervises one body.

    Args:
        agent: made for this execution.
        context: its context.
    """

    def __init__(self, agent: BaseAgent, context: AgentContext) -> None:
        self.agent, self.context = agent, context
        self.abandoned: asyncio.Task[Any] | None = None  # a body that swallowed its cancellation
        self._wish: tuple[str, str] | None = None
        self._wished = asyncio.Event()
        self._began = time.monotonic()

    def stop(self, kind: str, reason: str = "") -> None:
        """End it.

        `kind` is `stopped` (by the user, for `reason`), `timeout` (after `reason` seconds), `server_stopped`,
        `quota_exceeded` or `lost` (the lease). The first wish counts, a lost lease always.
        """
        if self._wish is None or kind == "lost":
            self._wish = (kind, reason)
            if kind == "lost":
                self.context.events.lost = True
        self._wished.set()

    async def run(self, body: Callable[[], Awaitable[Any]]) -> Ending:
        """Run the body to its ending."""
        timeout = self.agent.timeout if self.agent.timeout is not None else conf.AGENT_TIMEOUT
        name = f"netra-run {self.agent.name} {self.context.run_id}"
        limit = self.context.time_limit = TimeLimit(timeout, lambda: self.stop("timeout", f"{timeout:g}"))
        self.context.events.room.when_refused(lambda error: self.stop(error.code))  # also when the agent does not look
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
            log.warning("%s swallows its cancellation; it is abandoned, its run ends without it", task.get_name())
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
        kind, reason = self._wish  # only now: the lease may have been lost while the body was given its time
        if kind == "lost":
            return Ending(lost=True)
        if kind == "stopped":
            terminal = Event("agent_cancelled", self._with_usage({"reason": reason or "stopped"}))
            return Ending(terminal, "cancelled", "Stopped.")
        if kind == SERVER_STOPPED:
            return self._failed(
                SERVER_STOPPED, "The server was shut down before the run could end. Start it again.", "Stopped."
            )
        return self._failed("timeout", f"The agent took longer than {reason} seconds.", "The run's time was over.")

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
            return self._ending_of(error)
        if isinstance(outcome, Rest):
            return Ending(rest=outcome.memory)
        return self._completed(outcome)

    async def _after_missing_events(self, error: JournalUnavailable | QuotaExceeded) -> Ending:
        """Events are missing: what is open, the journal knows. It is asked for as long as the database is away."""
        while True:
            try:
                self.context.events.grammar = await db.read(run_reads.grammar_so_far, self.context)
            except db.OUTAGE:
                await asyncio.sleep(0.5)
            else:
                if isinstance(error, JournalUnavailable):
                    return self._failed(error.code, "The database was away for too long.")
                return self._failed(error.code, str(error), more=error.wire_fields)

    def _completed(self, value: Any) -> Ending:
        context = self.context
        try:
            value = expressible(value)
            result = encoding.encode(value)
            if self._is_empty_refusal(value):
                return self._ending_of(ModelRefused())
            data = self._with_usage({"result": value, "duration_ms": self._duration()})
            if context.finish_reason is not None:
                data["finish_reason"] = context.finish_reason
            events.check_size(encoding.encode(data), context.thread_id, context.run_id)
        except encoding.UnserialisableError as problem:
            return self._incident("result_unserialisable", "The agent's result cannot be expressed as JSON.", problem)
        except events.EventTooLargeError as problem:
            return self._incident("result_too_large", "The agent's result is too large to be shown.", problem)
        except BaseException as problem:  # noqa: BLE001 - the author's objects run code of their own when looked at
            return self._incident("result_unserialisable", "The agent's result cannot be expressed as JSON.", problem)
        return Ending(Event("agent_completed", data), result=result, value=value)

    def _ending_of(self, error: BaseException) -> Ending:
        # Not by the error's class alone: it may be that of another run, which the agent has looked into.
        if isinstance(error, LeaseLostError | RunOverError) and self.context.events.lost:
            return Ending(lost=True)
        error = meant_for_people(error)
        text = author_text(error)
        if text:
            return self._failed(_code_of(error), text, error=error, more=_retry_hint(error))
        return self._incident("agent_error", "The agent failed.", error)

    def _incident(self, code: str, message: str, error: BaseException) -> Ending:
        """The log has it all under an incident id; the person gets the id."""
        incident = new_id()
        log.error("incident %s: agent %s, run %s", incident, self.agent.name, self.context.run_id, exc_info=error)
        return self._failed(code, f"{message} Incident {incident}.", error=error, incident=incident)

    def _failed(
        self,
        code: str,
        message: str,
        open_error: str = "The run failed.",
        *,
        error: BaseException | None = None,
        incident: str = "",
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> Ending:
        status = "cancelled" if code in (SERVER_STOPPED, "timeout") else "error"
        return Ending(
            Event("agent_failed", self._with_usage({"code": code, "message": message, **more})),
            status,
            open_error,
            error=error,
            incident=incident,
        )

    def _with_usage(self, data: dict[str, Any]) -> dict[str, Any]:
        return data if self.context.usage is None else {**data, "usage": self.context.usage}

    def _is_empty_refusal(self, value: Any) -> bool:
        """Whether the provider held everything back: nothing was said, and there is nothing to show."""
        said = self.context.events.spoke or (value.strip() if isinstance(value, str) else value)
        return self.context.finish_reason == "content_filter" and not said

    def _duration(self) -> float:
        return round((time.monotonic() - self._began) * 1000, 3)


def _code_of(error: BaseException) -> str:
    code = getattr(error, "code", "") if isinstance(error, AgentError) else ""
    return code if isinstance(code, str) and code in AGENT_CODES else "agent_error"


def _retry_hint(error: BaseException) -> dict[str, int]:
    """`retry_after_ms`, where the error has one that makes sense."""
    fields = getattr(error, "fields", None) if isinstance(error, AgentError) else None
    hint = fields.get("retry_after_ms") if isinstance(fields, dict) else None
    return {"retry_after_ms": hint} if type(hint) is int and 0 <= hint <= MAX_RETRY_AFTER_MS else {}


@dataclass(frozen=True, slots=True)
class _Raised:
    error: BaseException


async def _contained(body: Callable[[], Awaitable[Any]], name: str, user_id: str) -> Any:
    """The body's result, or what it raised as a value.

    `SystemExit` and the like would otherwise end the event loop, and with it everybody's runs.
    """
    run_name.set(name)
    whose_code.set(user_id)
    try:
        return await body()
    except BaseException as error:  # noqa: BLE001 - it becomes the value of the ending
        return _Raised(error)


def body_of(agent: BaseAgent, context: AgentContext, input: Any) -> Callable[[], Awaitable[Any]]:
    """What starts the agent; a sync body gets a thread and a blocking context."""
    if is_async(agent.run):
        return lambda: agent.run(context, input)
    blocking = SyncAgentContext(context, asyncio.get_running_loop())
    return lambda: in_blocking_thread(context.user_id, agent.run, blocking, input)


async def execute_bare(agent: BaseAgent, manager: WebSocketManagerProtocol, input: Any) -> Any:
    """Run an agent outside the runtime, with the whole golden path. See `BaseAgent.execute_with_websocket_events`.

    Nobody renews a lease here and nobody sweeps up: who is cancelled ends the run before it goes.
    """
    agent.check_input(input)
    whose = manager.user_context
    info = RunInfo(whose.user_id, whose.thread_id, whose.run_id)
    if isinstance(manager, UnifiedWebSocketManager):
        info.history, info.load_history = await past_runs.loaded_or_loader(agent, whose.user_id, whose.thread_id)
    execution = Execution(agent, AgentContext(info, RunEvents(manager)))
    work = asyncio.create_task(_execute_bare(execution, manager, input), name=f"netra-bare {whose.run_id}")
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        execution.stop("stopped")
        try:
            await asyncio.wait({work})
        finally:
            work.cancel()
            work.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody asks any more
        raise


async def _execute_bare(execution: Execution, manager: WebSocketManagerProtocol, input: Any) -> Any:
    whose, context = manager.user_context, execution.context
    run_events, agent = context.events, execution.agent
    started: dict[str, Any] = {"agent_type": agent.name, "input": input}
    if whose.request_id is not None:
        started["request_id"] = whose.request_id
    await run_events.emit("agent_started", started, wait=True)
    ending = await execution.run(body_of(agent, context, input))
    if ending.lost:
        raise RunOverError()
    if ending.terminal is None:
        raise RuntimeError("this agent rests; it needs to be started through Netra (start_agent)")
    run_events.let_closers_in()
    terminal = (ending.terminal.event_type, ending.terminal.data)
    for event_type, data in (*run_events.closers(ending.open_status, ending.open_error), terminal):
        if not await manager.emit_critical_event(whose.user_id, event_type, data):
            raise RunOverError()
    if ending.error is not None:
        raise ending.error
    if ending.terminal.event_type != "agent_completed":
        raise AgentError(ending.terminal.data.get("message", "The run was stopped."))
    return ending.value

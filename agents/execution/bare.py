"""Executes an agent outside the runtime, for `BaseAgent.execute_with_websocket_events`."""

from __future__ import annotations

import asyncio
from typing import Any

from netra.agents.authoring.context import AgentContext, RunInfo
from netra.agents.authoring.run_events import RunEvents
from netra.agents.errors import AgentError
from netra.agents.execution import past_runs
from netra.agents.execution.execution import Execution, body_of
from netra.agents.execution.runnable import Runnable
from netra.agents.texts import expressible
from websocket_core.errors import RunOverError
from websocket_core.protocols import WebSocketManagerProtocol
from websocket_core.unified_emitter import UnifiedWebSocketEmitter
from websocket_core.unified_manager import UnifiedWebSocketManager


async def execute_bare(agent: Runnable, manager: WebSocketManagerProtocol, input: Any) -> Any:
    """Run an agent outside the runtime, with all its events. See `BaseAgent.execute_with_websocket_events`.

    No lease is renewed, and no sweeper ends the run. If the caller is cancelled, the run is therefore ended first.
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
            work.add_done_callback(lambda done: done.cancelled() or done.exception())  # the result is no longer needed
        raise


async def _execute_bare(execution: Execution, manager: WebSocketManagerProtocol, input: Any) -> Any:
    run_events, agent = execution.context.events, execution.agent
    emitter = UnifiedWebSocketEmitter(manager)
    started = {"agent_type": agent.name, "input": expressible(input), "request_id": manager.user_context.request_id}
    if not await emitter.emit_agent_started(**started):
        raise RunOverError()
    run_events.grammar.feed("agent_started", started)
    ending = await execution.run(body_of(agent, execution.context, input))
    if ending.lost:
        raise RunOverError()
    if ending.terminal is None:
        raise RuntimeError("this agent rests, so it must be started through Netra (start_agent)")
    run_events.let_closers_in()
    terminal = (ending.terminal.event_type, ending.terminal.data)
    for event_type, data in (*run_events.grammar.closers(ending.open_status, ending.open_error), terminal):
        if not await emitter.emit(event_type, **data):
            raise RunOverError()
    if ending.error is not None:
        raise ending.error
    if ending.terminal.event_type != "agent_completed":
        raise AgentError(ending.terminal.data.get("message", "The run was stopped."))
    return ending.value

"""A Pydantic AI agent as a Netra agent: loads the thread's messages, emits events, and asks for approvals."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import msgspec
from pydantic_ai import Agent, AgentRunResult, DeferredToolRequests
from pydantic_ai.agent import AbstractAgent
from pydantic_ai.capabilities import ReinjectSystemPrompt
from pydantic_ai.exceptions import ContentFilterError
from pydantic_ai.messages import ModelMessage

from netra.agents.adapters.call_ids import CallIds
from netra.agents.adapters.pydantic_ai import approvals, message_history, model_errors, output_types
from netra.agents.adapters.pydantic_ai.event_stream import EventStream
from netra.agents.adapters.pydantic_ai.run_hooks import RunHooks
from netra.agents.adapters.pydantic_ai.run_so_far import RunSoFar, finish_reason
from netra.agents.adapters.pydantic_ai.tool_calls import ToolCalls
from netra.agents.adapters.shown import clean, plain
from netra.agents.authoring.context import AgentContext
from netra.agents.authoring.facts import Decision
from netra.agents.base import BaseAgent
from netra.agents.blocking.pool import threads_of
from netra.agents.conf import conf
from websocket_core.errors import WebSocketCoreError

log = logging.getLogger(__name__)


class PydanticAIAgent(BaseAgent):
    """Runs a Pydantic AI agent. `register_agent` creates a subclass for every agent."""

    wrapped: ClassVar[AbstractAgent[Any, Any]]
    deps: ClassVar[Any] = None
    make_deps: ClassVar[Callable[[AgentContext, Any], Any] | None] = None
    make_prompt: ClassVar[Callable[[Any], Any] | None] = None
    options: ClassVar[Mapping[str, Any]] = {}  # further keyword arguments of `Agent.run`
    memory_bytes: ClassVar[int | None] = None

    async def run(self, ctx: AgentContext, input: Any) -> Any:
        """Ask the agent, with the earlier messages of the thread."""
        make_prompt = type(self).make_prompt
        prompt = default_prompt(input) if make_prompt is None else await _settled(make_prompt(input))
        history = message_history.load(await ctx.recall(self._memory_key))
        return await self._ask(ctx, input, CallIds(), user_prompt=prompt, message_history=history)

    async def proceed(self, ctx: AgentContext, memory: bytes, decisions: dict[str, Decision]) -> Any:
        """Continue with a person's answers."""
        resting = approvals.load(memory)
        ids = approvals.ids_of(resting, decisions)
        results = await approvals.results(ctx, resting, decisions)
        return await self._ask(
            ctx,
            resting.input,
            ids,
            message_history=resting.load_messages(),
            usage=resting.load_usage(),
            deferred_tool_results=results,
        )

    async def _ask(self, ctx: AgentContext, input: Any, ids: CallIds, **how: Any) -> Any:
        calls, so_far = ToolCalls(ctx, ids), RunSoFar(ctx, how.get("usage"))
        stream = EventStream(ctx, calls, so_far)
        options = {**type(self).options, **how}
        own = [ReinjectSystemPrompt()] if message_history.lacks_system_prompt(how["message_history"]) else []
        options["capabilities"] = [*own, *(options.get("capabilities") or ()), RunHooks(calls, so_far)]
        options.setdefault("output_type", self._output_type())
        options.setdefault("conversation_id", str(ctx.thread_id))
        # Its sync tools run in Netra's threads. All users share anyio's, and one user's tools could occupy all of them.
        threads = threads_of(asyncio.get_running_loop())
        try:
            with Agent.using_thread_executor(threads):
                # Created before the run: it may run other agents, whose messages do not belong to this run.
                deps = await self._deps(ctx, input)
                result: AgentRunResult[Any] = await type(self).wrapped.run(
                    deps=deps, event_stream_handler=stream.handle, infer_name=False, **options
                )
        except BaseException as error:
            # Whatever ended the run, the thread's next question continues from what was said and done so far.
            so_far.report()
            messages = so_far.messages
            if model_errors.is_refusal(error):
                messages = message_history.without_refused(messages, question=isinstance(error, ContentFilterError))
            await self._remember_anyway(ctx, messages)
            ending = model_errors.as_ending(error)
            if ending is None or ending is error:
                raise
            log.warning("run %s: %s", ctx.run_id, type(error).__name__, exc_info=error)
            raise ending from error
        await calls.close()
        history = result.all_messages()
        so_far.end(history, result.usage)
        ctx.report_finish_reason(finish_reason(history))
        await self._remember(ctx, history)
        if isinstance(result.output, DeferredToolRequests):
            return await approvals.ask(ctx, input, result.output, history, result.usage, ids)
        return plain(result.output)

    @property
    def _memory_key(self) -> str:
        return f"pydantic-ai:{self.name}"

    async def _remember(self, ctx: AgentContext, messages: list[ModelMessage]) -> None:
        limit = conf.MEMORY_BYTES if self.memory_bytes is None else self.memory_bytes
        if limit and messages:
            data = message_history.dump_whole(messages, limit)
            if data is None:  # in a thread: shortening thousands of messages takes a second
                data = await ctx.to_thread(message_history.dump, messages, limit)
            if data is not None:
                await ctx.remember(self._memory_key, data)

    async def _remember_anyway(self, ctx: AgentContext, messages: list[ModelMessage]) -> None:
        """Store the messages while an error is being raised. The error is reported in any case."""
        try:
            await self._remember(ctx, messages)
        except WebSocketCoreError as error:
            log.info("run %s: its messages were not stored: %s", ctx.run_id, error)

    async def _deps(self, ctx: AgentContext, input: Any) -> Any:
        make_deps = type(self).make_deps
        return type(self).deps if make_deps is None else await _settled(make_deps(ctx, input))

    def _output_type(self) -> Any:
        return output_types.with_deferred_calls(type(self).wrapped)


def default_prompt(input: Any) -> str:
    """The input's message. For any other input, its JSON."""
    if isinstance(input, dict) and isinstance(input.get("message"), str):
        return clean(input["message"])
    return msgspec.json.encode(input).decode()


async def _settled(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value

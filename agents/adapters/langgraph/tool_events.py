"""LangChain's callbacks: tools are told before they run, wherever a graph calls them; usage is counted."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any
from uuid import UUID

from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.messages import BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.tools import ToolException
from langgraph.errors import GraphBubbleUp
from pydantic import ValidationError

from agents.adapters.call_ids import CallIds
from agents.adapters.shown import clean, shown
from agents.context import AgentContext
from agents.errors import ToolError
from agents.steps import ToolCall

FAILED = "The tool failed."
MISFIT = "The model's arguments did not fit this tool. It was told, and may try again."
NEEDS_ANSWER = "Stopped before it was done: it needs a person's answer first, and then runs again."


class ToolEvents(AsyncCallbackHandler):
    """LangChain's callbacks of one run.

    A tool waits for `on_tool_start`, so what it does is known to the journal before it happens. Sync nodes call back
    from threads with event loops of their own; what is told goes through the run's loop all the same.
    """

    raise_error = True  # a run that is over, or somebody else's, must not go on into its tools
    # Nothing but tools is its business, and it is called on the spot: else every token of a model would make a task
    # that waits for a method that does nothing.
    run_inline = True
    ignore_llm = ignore_chat_model = ignore_chain = ignore_retriever = ignore_custom_event = True

    def __init__(self, ctx: AgentContext, ids: CallIds) -> None:
        self._ctx, self._ids = ctx, ids
        self._loop = asyncio.get_running_loop()
        self._open: dict[UUID, ToolCall] = {}

    async def on_tool_start(
        self, serialized: dict[str, Any] | None, input_str: str, *, run_id: UUID, **kwargs: Any
    ) -> None:
        """A tool is about to run."""
        await self._on_loop(self._start(serialized, input_str, run_id, kwargs))

    async def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A tool has returned."""
        await self._on_loop(self._end(output, run_id))

    async def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A tool has raised."""
        await self._on_loop(self._error(error, run_id))

    async def _start(
        self, serialized: dict[str, Any] | None, input_str: str, run_id: UUID, kwargs: dict[str, Any]
    ) -> None:
        await asyncio.sleep(0)  # what the graph has streamed until now is told first
        name = kwargs.get("name") or (serialized or {}).get("name") or "tool"
        inputs = kwargs.get("inputs")
        arguments = shown({"input": input_str} if inputs is None else inputs)
        tool_call_id = self._ids.open(kwargs.get("tool_call_id") or str(run_id))
        told = self._open[run_id] = self._ctx.tool(clean(str(name)), arguments, tool_call_id=tool_call_id)
        await told.begin()

    async def _end(self, output: Any, run_id: UUID) -> None:
        told = self._open.pop(run_id, None)
        if told is None:
            return
        if isinstance(output, ToolMessage) and output.status == "error":
            await told.finish("error", error=clean(str(output.text)))  # the tool's author handles its errors
        else:
            await told.finish("ok", result=shown(output.content if isinstance(output, BaseMessage) else output))

    async def _error(self, error: BaseException, run_id: UUID) -> None:
        told = self._open.pop(run_id, None)
        if told is None:
            return
        if isinstance(error, GraphBubbleUp):
            await told.finish("cancelled", error=NEEDS_ANSWER)
        else:
            await told.finish("error", error=_author_text(error))

    async def _on_loop(self, coroutine: Coroutine[Any, Any, None]) -> None:
        if asyncio.get_running_loop() is self._loop:
            await coroutine
        else:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self._loop))


class UsageCounter(BaseCallbackHandler):
    """Counts what the models of one run use.

    Attributes:
        usage: `requests`, and tokens as far as the models tell.
    """

    run_inline = True  # on the spot: there is nothing to wait for
    ignore_chain = ignore_retriever = ignore_agent = ignore_custom_event = True

    def __init__(self, usage: dict[str, int]) -> None:
        self.usage = dict(usage)

    def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:
        """A model has answered."""
        self.usage["requests"] = self.usage.get("requests", 0) + 1
        for generations in response.generations:
            for generation in generations[:1]:
                message = generation.message if isinstance(generation, ChatGeneration) else None
                used = getattr(message, "usage_metadata", None) or {}
                for name in ("input_tokens", "output_tokens", "total_tokens"):
                    self.usage[name] = self.usage.get(name, 0) + int(used.get(name) or 0)


def _author_text(error: BaseException) -> str:
    """The text of an exception that its author meant to be read; of any other, none."""
    if isinstance(error, ToolError | ToolException) and str(error):
        return clean(str(error))
    return MISFIT if isinstance(error, ValidationError) else FAILED

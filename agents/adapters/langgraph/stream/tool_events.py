"""LangChain's callbacks of tools: emit the events of a tool before it runs, wherever a graph calls it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any
from uuid import UUID

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import BaseMessage, ToolMessage
from langchain_core.tools import ToolException
from langgraph.errors import GraphBubbleUp, ParentCommand
from langgraph.types import Command, Send
from pydantic import ValidationError

from netra.agents.adapters.call_ids import CallIds
from netra.agents.adapters.shown import clean, shown
from netra.agents.authoring.context import AgentContext
from netra.agents.authoring.steps import ToolCall
from netra.agents.errors import ToolError

FAILED = "The tool failed."
MISFIT = "The model's arguments did not match this tool. The model was told and may try again."
DENIED = "A person denied this call."
NEEDS_ANSWER = "Stopped before it was finished: it needs a person's answer first, and then runs again."


class ToolEvents(AsyncCallbackHandler):
    """LangChain's callbacks of one run.

    A tool waits for `on_tool_start`, so the journal knows of it before it has effects. Sync nodes call back from
    threads with their own event loops, but all events are emitted on the run's loop.
    """

    raise_error = True  # a run that is over or lost must not start tools
    # Only tools are handled, and callbacks are called directly. Otherwise every token of a model would create a task
    # for a method that does nothing.
    run_inline = True
    ignore_llm = ignore_chat_model = ignore_chain = ignore_retriever = ignore_custom_event = True

    def __init__(self, ctx: AgentContext, ids: CallIds) -> None:
        self._ctx, self._ids = ctx, ids
        self._loop = asyncio.get_running_loop()
        self._open: dict[UUID, ToolCall] = {}
        self._model_ids: dict[UUID, str] = {}
        self._denied: set[UUID] = set()  # tools that asked from inside, were denied, and run again

    async def on_tool_start(
        self, serialized: dict[str, Any] | None, input_str: str, *, run_id: UUID, **kwargs: Any
    ) -> None:
        """A tool is about to run."""
        await self._on_loop(self._start(serialized, input_str, run_id, kwargs))

    async def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        """A tool has returned."""
        await self._on_loop(self._end(output, run_id))

    async def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A tool has raised an error."""
        await self._on_loop(self._error(error, run_id))

    async def _start(
        self, serialized: dict[str, Any] | None, input_str: str, run_id: UUID, kwargs: dict[str, Any]
    ) -> None:
        await asyncio.sleep(0)  # let earlier items of the stream be sent first
        name = kwargs.get("name") or (serialized or {}).get("name") or "tool"
        inputs = kwargs.get("inputs")
        arguments = shown({"input": input_str} if inputs is None else inputs)
        model_id = kwargs.get("tool_call_id") or str(run_id)
        self._model_ids[run_id] = model_id
        if self._ids.was_denied(model_id):
            self._denied.add(run_id)
        tool_call_id = self._ids.open(model_id)
        told = self._open[run_id] = self._ctx.tool(clean(str(name)), arguments, tool_call_id=tool_call_id)
        await told.begin()

    async def _end(self, output: Any, run_id: UUID) -> None:
        told = self._open.pop(run_id, None)
        if told is None:
            return
        if run_id in self._denied:
            self._denied.discard(run_id)
            await told.finish("denied", error=DENIED)
            return
        returned = _returned(output, self._model_ids.pop(run_id, None))
        if isinstance(returned, ToolMessage) and returned.status == "error":
            await told.finish("error", error=clean(str(returned.text)))  # the tool's author handles errors
        else:
            await told.finish("ok", result=shown(returned.content if isinstance(returned, BaseMessage) else returned))

    async def _error(self, error: BaseException, run_id: UUID) -> None:
        told = self._open.pop(run_id, None)
        if told is None:
            return
        self._denied.discard(run_id)
        model_id = self._model_ids.pop(run_id, None)
        if isinstance(error, ParentCommand):  # a graph inside the tool hands over to the outer graph
            returned = _returned(error.args[0], model_id)
            await told.finish("ok", result=shown(returned.content if isinstance(returned, BaseMessage) else None))
        elif isinstance(error, GraphBubbleUp):
            if model_id is not None:
                self._ids.interrupted.add(model_id)
            await told.finish("cancelled", error=NEEDS_ANSWER)
        else:
            await told.finish("error", error=_author_text(error))

    async def _on_loop(self, coroutine: Coroutine[Any, Any, None]) -> None:
        if asyncio.get_running_loop() is self._loop:
            await coroutine
        else:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self._loop))


def _returned(output: Any, model_id: str | None) -> Any:
    """The value that a tool returned to the model. A `Command` goes to the graph; its message is the tool's answer."""
    parts = list(output) if isinstance(output, list | tuple) else [output]
    if not any(isinstance(part, Command | Send) for part in parts):
        return output
    messages = [message for part in parts for message in _messages_in(part) if isinstance(message, ToolMessage)]
    return next((message for message in messages if message.tool_call_id == model_id), None)


def _messages_in(part: Any) -> list[Any]:
    if isinstance(part, BaseMessage):
        return [part]
    if not isinstance(part, Command):
        return []
    update = part.update
    if isinstance(update, Mapping):
        values = list(update.values())
    elif isinstance(update, list | tuple):  # a list of pairs or of messages
        values = [one[1] if isinstance(one, tuple) and len(one) == 2 else one for one in update]
    else:
        values = list(vars(update).values()) if hasattr(update, "__dict__") else []
    return [one for value in values for one in (value if isinstance(value, list | tuple) else [value])]


def _author_text(error: BaseException) -> str:
    """The text of an exception that its author meant to be read; a default text for any other."""
    if isinstance(error, ToolError | ToolException) and str(error):
        return clean(str(error))
    return MISFIT if isinstance(error, ValidationError) else FAILED

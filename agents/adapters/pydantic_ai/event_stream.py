"""Converts Pydantic AI's events of a run into Netra's."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.messages import (
    AgentStreamEvent,
    CustomEvent,
    DeferredToolResultsEvent,
    FilePart,
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    NativeToolCallPart,
    NativeToolReturnPart,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
)

from netra.agents.adapters.pydantic_ai.run_so_far import RunSoFar
from netra.agents.adapters.pydantic_ai.tool_calls import ToolCalls
from netra.agents.adapters.shown import shown
from netra.agents.adapters.text_streams import TextStreams
from netra.agents.authoring.context import AgentContext


class EventStream:
    """Emits one run's events.

    Text is sent as it arrives. `ToolCalls.run`, which wraps every execution, emits the events of tools that run. This
    class emits those of other tools.
    """

    def __init__(self, ctx: AgentContext, calls: ToolCalls, so_far: RunSoFar) -> None:
        self._ctx, self._calls, self._so_far = ctx, calls, so_far
        self._texts = TextStreams(ctx)

    async def handle(self, run: RunContext[Any], events: AsyncIterable[AgentStreamEvent]) -> None:
        """The run's `event_stream_handler`, called for every step with the step's events."""
        self._so_far.look(run)
        append = self._texts.append
        async for event in events:
            kind = type(event)
            if kind is PartDeltaEvent:
                delta = event.delta  # type: ignore[union-attr]  # exact type: `isinstance` costs as much as a delta
                if isinstance(delta, TextPartDelta | ThinkingPartDelta) and delta.content_delta:
                    await append(event.index, delta.content_delta)  # type: ignore[union-attr]
            elif isinstance(event, PartStartEvent):
                await self._part_start(event)
            elif isinstance(event, PartEndEvent):
                await self._part_end(event)
            else:
                await self._other(event)

    async def _part_start(self, event: PartStartEvent) -> None:
        part = event.part
        if isinstance(part, TextPart):
            await self._texts.start("agent_message", event.index, part.content)
        elif isinstance(part, ThinkingPart):
            await self._texts.start("agent_thinking", event.index, part.content)
        elif isinstance(part, NativeToolReturnPart):
            await self._calls.native_return(part)

    async def _part_end(self, event: PartEndEvent) -> None:
        part = event.part
        if isinstance(part, NativeToolCallPart):
            await self._calls.native_call(part)
        elif isinstance(part, FilePart):
            content = part.content
            file = {"media_type": content.media_type, "identifier": content.identifier, "bytes": len(content.data)}
            await self._ctx.publish_state({"file": file})
        else:
            await self._texts.end(event.index)

    async def _other(self, event: AgentStreamEvent) -> None:
        if isinstance(event, FunctionToolCallEvent):
            self._calls.called(event)
        elif isinstance(event, FunctionToolResultEvent):
            await self._calls.returned(event.part)
        elif isinstance(event, DeferredToolResultsEvent):
            self._calls.answered.update(event.results.calls)
        elif isinstance(event, CustomEvent) and event.ui:
            await self._ctx.publish_state(shown(event))

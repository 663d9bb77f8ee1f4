"""Models that follow a script, and registering their agents for one test."""

import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any

from pydantic_ai.agent import AbstractAgent
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, ToolReturnPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel

from netra.agents.adapters.pydantic_ai import register_agent

_numbers = itertools.count(1)
Chunk = str | dict[int, Any]
Turn = list[Chunk] | Callable[[list[ModelMessage]], AsyncIterator[Chunk]]


def call(index: int, name: str, arguments: str = "{}", call_id: str | None = None) -> dict[int, Any]:
    """A whole tool call as one chunk."""
    return {index: DeltaToolCall(name, arguments, tool_call_id=call_id or f"call-{name}-{index}")}


def thought(index: int, text: str) -> dict[int, Any]:
    """A bit of a thought."""
    return {index: DeltaThinkingPart(content=text)}


def script(*turns: Turn) -> FunctionModel:
    """A model whose n-th request since the person's last words is answered by the n-th turn."""

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
        turn = turns[min(requests_since_asked(messages), len(turns)) - 1]
        if callable(turn):
            async for chunk in turn(messages):
                yield chunk
        else:
            for chunk in turn:
                yield chunk

    return FunctionModel(stream_function=stream)


def requests_since_asked(messages: list[ModelMessage]) -> int:
    """How many requests the model has got since the person's last words, this one included."""
    count = 0
    for message in messages:
        if isinstance(message, ModelRequest):
            asked = any(isinstance(part, UserPromptPart) for part in message.parts)
            count = 1 if asked else count + 1
    return count


def heard(messages: list[ModelMessage]) -> list[str]:
    """What the model is told in a request, in words: prompts, answers, results."""
    words = []
    for message in messages:
        for part in message.parts:
            if isinstance(part, UserPromptPart):
                words.append(f"user: {part.content}")
            elif isinstance(message, ModelResponse) and isinstance(part, TextPart):
                words.append(f"model: {part.content}")
            elif isinstance(part, ToolReturnPart):
                words.append(f"{part.tool_name} {part.outcome}: {part.content}")
    return words


def registered(agent: AbstractAgent[Any, Any], **options: Any) -> str:
    """Register under a name of its own; returns the name."""
    name = f"pydantic-ai-{next(_numbers)}"
    register_agent(name, agent, **options)
    return name

"""What a graph streams, told as Netra's events."""

from __future__ import annotations

from collections.abc import Awaitable, Hashable, Iterator, Mapping
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langgraph.types import StreamMode

from agents.adapters.shown import shown
from agents.adapters.text_streams import TextStreams
from agents.context import AgentContext

MODES: list[StreamMode] = ["messages", "custom", "updates", "values"]  # a list: a tuple means one mode to it
INTERRUPT = "__interrupt__"

MESSAGE, THOUGHT = "agent_message", "agent_thinking"


class EventStream:
    """Tells what one run of a graph streams.

    Args:
        ctx: the run's context.
        states: whether to tell what the graph's nodes write into its state.

    Attributes:
        values: the graph's state as it was streamed last; `None` before that.
    """

    def __init__(self, ctx: AgentContext, *, states: bool) -> None:
        self._ctx, self._states = ctx, states
        self._texts = TextStreams(ctx)
        self.values: Any = None

    def handle(self, path: tuple[str, ...], mode: str, data: Any) -> Awaitable[None]:
        """One streamed item. To be awaited.

        Args:
            path: the subgraph it is from; empty for the graph itself.
        """
        if mode == "messages":
            message = data[0]
            content = message.content
            if type(message) is AIMessageChunk and type(content) is str and content and not message.additional_kwargs:
                return self._texts.add(MESSAGE, (message.id, "text"), content)  # a token: most of what is streamed
            return self._message(message)
        if mode == "custom":
            if isinstance(data, str):  # a thought, a line each
                return self._texts.add(THOUGHT, "custom", data if data.endswith("\n") else data + "\n")
            return self._ctx.publish_state(shown(data))
        return self._state(path, mode, data)

    async def _state(self, path: tuple[str, ...], mode: str, data: Any) -> None:
        if mode == "updates":
            if self._states:
                await self._updates(path, data)
        elif not path and not (isinstance(data, dict) and data.keys() == {INTERRUPT}):
            self.values = data

    async def close(self) -> None:
        """Nothing more is streamed."""
        await self._texts.close()

    async def _message(self, message: Any) -> None:
        if not isinstance(message, AIMessageChunk | AIMessage):
            return  # what people said and what tools returned is told already
        content = message.content
        if isinstance(content, str):
            reasoning = message.additional_kwargs.get("reasoning_content")
            if reasoning and isinstance(reasoning, str):
                await self._texts.add(THOUGHT, (message.id, "reasoning"), reasoning)
            if content:
                await self._texts.add(MESSAGE, (message.id, "text"), content)
            return
        for event_type, key, text in _blocks(content):
            await self._texts.add(event_type, (message.id, key), text)

    async def _updates(self, path: tuple[str, ...], data: Mapping[str, Any]) -> None:
        """What a node wrote into the state, without messages: those are told as such."""
        for node, update in data.items():
            if node == INTERRUPT or update is None:
                continue
            told = _without_messages(update)
            if told:
                state: dict[str, Any] = {"node": node, "update": shown(told)}
                if path:
                    state["path"] = [part.split(":")[0] for part in path]
                await self._ctx.publish_state(state)


def _blocks(content: list[str | dict[str, Any]]) -> Iterator[tuple[str, Hashable, str]]:
    """The texts in a content of blocks, each with its event and what tells its stream apart."""
    for position, block in enumerate(content):
        if isinstance(block, str):
            if block:
                yield MESSAGE, "text", block
            continue
        kind, index = block.get("type"), block.get("index", position)
        if kind == "text":
            text, event_type = block.get("text"), MESSAGE
        elif kind in ("thinking", "reasoning", "reasoning_content"):
            text, event_type = _reasoning(block, str(kind)), THOUGHT
        else:
            continue  # tool calls and the like: told when they run
        if text and isinstance(text, str):
            yield event_type, (kind, index), text


def _reasoning(block: dict[str, Any], kind: str) -> Any:
    """Reasoning is called differently by every provider."""
    inner = block.get(kind)
    if isinstance(inner, dict):
        return inner.get("text")
    if inner is None and isinstance(block.get("summary"), list):
        return "".join(str(part.get("text", "")) for part in block["summary"] if isinstance(part, dict))
    return inner


def _without_messages(update: Any) -> Any:
    if isinstance(update, Mapping):
        return {key: value for key, value in update.items() if value is not None and not _is_messages(value)}
    return None if _is_messages(update) else update


def _is_messages(value: Any) -> bool:
    if isinstance(value, BaseMessage):
        return True
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(item, BaseMessage) for item in value)

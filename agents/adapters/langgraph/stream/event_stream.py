"""Converts a graph's stream into Netra's events."""

from __future__ import annotations

from collections.abc import Awaitable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langgraph.types import Overwrite, StreamMode

from netra.agents.adapters.langgraph.stream.public_state import PublicState, message_ids
from netra.agents.adapters.langgraph.stream.spoken import UNHEARD, Path, Said, Spoken
from netra.agents.adapters.shown import shown
from netra.agents.adapters.text_streams import DONE, TextStreams
from netra.agents.authoring.context import AgentContext
from websocket_core.ids import new_id

MODES: list[StreamMode] = ["messages", "custom", "updates", "values"]  # a list: LangGraph takes a tuple for one mode
INTERRUPT, METADATA = "__interrupt__", "__metadata__"
MODEL_TYPE = "ls_model_type"  # only in the metadata of a model's messages

MESSAGE, THOUGHT = "agent_message", "agent_thinking"


@dataclass(frozen=True, slots=True)
class Speech:
    """The parts of a graph that speak to the person.

    Attributes:
        keys: keys of the state; messages that nodes write there are answers.
        nodes: nodes whose models and messages are sent; `None` means all.
    """

    keys: Sequence[str] = ("messages",)
    nodes: Sequence[str] | None = None


class EventStream:
    """Emits the stream of one execution of a graph.

    Args:
        ctx: the run's context.
        speech: the nodes and keys of the state that speak.
        states: the part of the state that is published; `None` for none.
        goes_on: whether it continues an interrupted step. LangGraph then streams again what that step had finished
            before.

    Attributes:
        values: the graph's state in its latest stream; `None` before that.
    """

    def __init__(self, ctx: AgentContext, speech: Speech, states: PublicState | None, *, goes_on: bool) -> None:
        self._ctx, self._keys, self._states = ctx, tuple(speech.keys), states
        self._texts = TextStreams(ctx)
        self._spoken = Spoken(speech.nodes)
        self._repeats = goes_on
        self.values: Any = None

    def handle(self, path: tuple[str, ...], mode: str, data: Any) -> Awaitable[None]:
        """Handle one streamed item. The result must be awaited.

        Args:
            path: the subgraph of the item; empty for the graph itself.
        """
        if mode == "messages":
            message = data[0]
            content = message.content
            if type(message) is AIMessageChunk and type(content) is str and content and not message.additional_kwargs:
                said = self._spoken.of(message.id) or self._begin(message.id, data[1])
                if said.silent:
                    return DONE
                said.pieces.append(content)  # a token, the most frequent item
                return self._texts.add(MESSAGE, (message.id, "text"), content)
            return self._message(message, data[1])
        if mode == "custom":
            if isinstance(data, str):  # a thought, one line each
                return self._texts.add(THOUGHT, "custom", data if data.endswith("\n") else data + "\n")
            return self._ctx.publish_state(shown(data))
        return self._updates(path, data) if mode == "updates" else self._values(path, data)

    async def close(self) -> None:
        """Called when the stream has ended."""
        await self._texts.close()

    async def _message(self, message: Any, metadata: Mapping[str, Any]) -> None:
        """Handle a model's message. `_updates` sends complete messages that nodes return, according to their key."""
        if isinstance(message, AIMessageChunk):
            said = self._spoken.of(message.id) or self._begin(message.id, metadata)
        elif isinstance(message, AIMessage) and not self._spoken.knows(message.id):
            said = self._begin(message.id, metadata)
        else:
            return  # messages of people and tools are already known
        if not said.silent:
            await self._tell(message, said.pieces)

    def _begin(self, message_id: Any, metadata: Mapping[str, Any]) -> Said:
        """Begin a model's message. A message returned by a node is skipped, because its key is unknown here."""
        return self._spoken.begin(message_id, metadata) if MODEL_TYPE in metadata else UNHEARD

    async def _tell(self, message: AIMessage, pieces: list[str]) -> None:
        content, message_id = message.content, message.id or new_id()
        if isinstance(content, str):
            reasoning = message.additional_kwargs.get("reasoning_content")
            if reasoning and isinstance(reasoning, str):
                await self._texts.add(THOUGHT, (message_id, "reasoning"), reasoning)
            if content:
                pieces.append(content)
                await self._texts.add(MESSAGE, (message_id, "text"), content)
            return
        for event_type, key, text in _blocks(content):
            if event_type == MESSAGE:
                pieces.append(text)
            await self._texts.add(event_type, (message_id, key), text)

    async def _updates(self, path: Path, data: Mapping[str, Any]) -> None:
        """Handle what nodes wrote into the state: messages as answers, the rest as state."""
        if self._repeats and (data.get(METADATA) or {}).get("cached"):
            return
        for node, update in data.items():
            if _is_marker(node):
                continue
            for written in update if _is_several(update) else (update,):
                for message in _messages(written, self._keys):
                    if self._spoken.is_news(path, node, message.id, message.text):
                        await self._tell(message, [])
            if self._states is not None:
                await self._state(self._states, path, node, update)

    async def _state(self, states: PublicState, path: Path, node: str, update: Any) -> None:
        for written in update if _is_several(update) and states.has_keys(path) else (update,):
            told = states.of(path, written)
            if told:
                state: dict[str, Any] = {"node": node, "update": shown(told)}
                if path:
                    state["path"] = [part.split(":")[0] for part in path]
                await self._ctx.publish_state(state)

    async def _values(self, path: Path, data: Any) -> None:
        """Handle the whole state, which arrives before a graph's first step and after every step."""
        asks = isinstance(data, Mapping) and INTERRUPT in data  # in this case the step is not over
        if isinstance(data, Mapping):
            data = {key: value for key, value in data.items() if not _is_marker(key)} if asks else data
            for key in self._keys:
                self._spoken.know(message_ids(data.get(key)))
        if not asks:
            self._spoken.step_is_over(path)
            self._repeats = self._repeats and (bool(path) or self.values is None)
        if not path and (data or not asks):
            self.values = data


def _is_marker(name: str) -> bool:
    """Whether it is one of LangGraph's own names."""
    return name.startswith("__") and name.endswith("__")


def _is_several(update: Any) -> bool:
    """Whether a node has written several updates, as tools that return commands do."""
    return isinstance(update, list) and bool(update) and all(isinstance(one, Mapping) for one in update)


def _messages(update: Any, keys: Sequence[str]) -> Iterator[AIMessage]:
    """The answers among a node's writes. A value without keys (the functional API) is an answer as a whole."""
    found = [update.get(key) for key in keys] if isinstance(update, Mapping) else [update]
    for value in found:
        value = value.value if isinstance(value, Overwrite) else value
        for one in value if isinstance(value, list | tuple) else (value,):
            if isinstance(one, AIMessage):
                yield one


def _blocks(content: list[str | dict[str, Any]]) -> Iterator[tuple[str, Hashable, str]]:
    """The texts in a content of blocks, each with its event type and the key of its stream."""
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
            continue  # tool calls and similar blocks: reported when they run
        if text and isinstance(text, str):
            yield event_type, (kind, index), text


def _reasoning(block: dict[str, Any], kind: str) -> Any:
    """The reasoning of a block. Every provider names it differently."""
    inner = block.get(kind)
    if isinstance(inner, dict):
        return inner.get("text")
    if inner is None and isinstance(block.get("summary"), list):
        return "".join(str(part.get("text", "")) for part in block["summary"] if isinstance(part, dict))
    return inner

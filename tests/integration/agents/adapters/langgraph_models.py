"""A chat model that follows a script, and registering its graphs for one test."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from netra.agents.adapters.langgraph import register_graph

_numbers = itertools.count(1)
Chunk = str | AIMessageChunk
Turn = Callable[[list[BaseMessage]], Any]  # an async iterator of chunks, or a list of them


class ScriptedChat(BaseChatModel):
    """Streams what its turn says."""

    turn: Turn

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        return self

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        chunks = self.turn(messages)
        if isinstance(chunks, list):
            for chunk in chunks:
                yield _generation(chunk)
        else:
            async for chunk in chunks:
                yield _generation(chunk)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in self.turn(messages):
            generation = _generation(chunk)
            if run_manager is not None:
                run_manager.on_llm_new_token(generation.text, chunk=generation)
            yield generation

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        whole = None
        for chunk in self.turn(messages):
            message = _generation(chunk).message
            whole = message if whole is None else whole + message
        assert whole is not None
        return ChatResult(generations=[ChatGeneration(message=whole)])


def _generation(chunk: Chunk) -> ChatGenerationChunk:
    message = AIMessageChunk(content=chunk) if isinstance(chunk, str) else chunk
    return ChatGenerationChunk(message=message)


def call(name: str, arguments: str = "{}", call_id: str | None = None, index: int = 0) -> AIMessageChunk:
    """A whole tool call as one chunk."""
    chunk = {"name": name, "args": arguments, "id": call_id or f"call-{name}-{index}", "index": index}
    return AIMessageChunk(content="", tool_call_chunks=[{**chunk, "type": "tool_call_chunk"}])  # type: ignore[typeddict-item]


def script(*turns: list[Chunk] | Turn) -> ScriptedChat:
    """A model whose n-th answer since the person's last words is the n-th turn."""

    def turn(messages: list[BaseMessage]) -> Any:
        place = 0
        for message in messages:
            place = 0 if message.type == "human" else place + (message.type == "ai")
        found = turns[min(place, len(turns) - 1)]
        return found(messages) if callable(found) else found

    return ScriptedChat(turn=turn)


def heard(messages: Sequence[BaseMessage]) -> list[str]:
    """What the model is told, in words."""
    words = []
    for message in messages:
        status = f" {message.status}" if message.type == "tool" else ""  # type: ignore[attr-defined]
        words.append(f"{message.type}{status}: {message.text}")
    return words


def chat_graph(model: BaseChatModel, tools: Sequence[Any] = (), **options: Any) -> StateGraph[Any, Any, Any, Any]:
    """The graph everybody begins with: a model, tools, and back again."""

    async def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("answer", answer)
    builder.add_edge(START, "answer")
    if tools:
        builder.add_node("tools", ToolNode(list(tools), **options))
        builder.add_conditional_edges("answer", tools_condition)
        builder.add_edge("tools", "answer")
    else:
        builder.add_edge("answer", END)
    return builder


def registered(graph: Any, **options: Any) -> str:
    """Register under a name of its own; returns the name."""
    name = f"langgraph-{next(_numbers)}"
    register_graph(name, graph, **options)
    return name

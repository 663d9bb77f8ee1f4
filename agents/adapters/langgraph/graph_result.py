"""The result of a graph's run: its answer, not its internal state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.documents.base import BaseMedia
from langchain_core.messages import AIMessage, BaseMessage
from langgraph.pregel import Pregel

from netra.agents.adapters.langgraph.stream.public_state import names_output, public_channels
from netra.agents.adapters.shown import clean, plain
from websocket_core.conf import conf
from websocket_core.wire import encoding

STRUCTURED = "structured_response"  # the answer of LangChain's agents with a `response_format`
_ROOM = 8 * 1024  # bytes of the terminal event reserved for everything except the result


class GraphResult:
    """Creates a run's result from a graph's output.

    By default, the result is the text of the last answer. If the graph's author has named an output (`output_schema`),
    or the graph has no answers, it is the output's channels. A channel that is too large is replaced by a note.

    Args:
        graph: the graph.
        keys: keys of the state whose messages are answers.
    """

    def __init__(self, graph: Pregel[Any, Any, Any, Any], keys: Sequence[str]) -> None:
        channels = graph.output_channels
        self._channels = None if isinstance(channels, str) else frozenset(channels)
        self._public, self._named, self._keys = public_channels(graph), names_output(graph), tuple(keys)

    def output(self, values: Any) -> Any:
        """The graph's output as its author knows it, from its last state."""
        if self._channels is None or not isinstance(values, Mapping):
            return values
        return {key: value for key, value in values.items() if key in self._channels}

    def last_answer(self, values: Any) -> AIMessage | None:
        """The last answer of the graph."""
        output = self.output(values)
        spoken = [output.get(key) for key in self._keys] if isinstance(output, Mapping) else [output]
        return next((found for one in spoken if (found := last_answer(one)) is not None), None)

    def is_more(self, values: Any) -> bool:
        """Whether there is something to show other than the text of the last answer."""
        output = self.output(values)
        if not isinstance(output, Mapping):
            return False
        return any(output.get(key) for key in (output if self._named else (STRUCTURED,)) if key not in self._keys)

    def make(self, values: Any) -> Any:
        """The result, in a form that JSON can express."""
        output = self.output(values)
        if not isinstance(output, Mapping):
            answer = self.last_answer(values)
            return plain(output if answer is None else str(answer.text))
        spoken = [key for key in self._keys if key in output]
        last = self.last_answer(values)
        text = clean(str(last.text)) if last is not None else None
        structured = output.get(STRUCTURED)
        if text is not None and self._channels is not None and not self._named:
            return text if structured is None else _fitting({STRUCTURED: structured, "message": text})
        others = {key: value for key, value in output.items() if key not in spoken and self._shows(key, value)}
        if not others:
            return text
        return _fitting({**others, "message": text} if spoken else others)

    def _shows(self, key: str, value: Any) -> bool:
        if self._channels is None or self._named:
            return True  # results of functions and named outputs are public
        return (self._public is None or key in self._public) and not _holds_documents(value)


def last_answer(messages: Any) -> AIMessage | None:
    """The last answer among messages."""
    found = [messages] if isinstance(messages, BaseMessage) else messages if isinstance(messages, list | tuple) else []
    return next((message for message in reversed(found) if isinstance(message, AIMessage)), None)


def _fitting(channels: Mapping[str, Any]) -> dict[str, Any]:
    """The channels, without the largest ones if they are too large together, because the run itself has succeeded."""
    shown = {key: plain(value) for key, value in channels.items()}
    sizes = {key: len(encoding.encode(value).encode()) for key, value in shown.items()}
    room = conf.MAX_EVENT_BYTES - _ROOM - sum(len(key) + 32 for key in shown)
    for key in sorted(sizes, key=lambda key: sizes[key], reverse=True):
        if sum(sizes.values()) <= room:
            break
        if key != "message":
            shown[key] = {"too_large": sizes[key]}
            sizes[key] = 32
    return shown


def _holds_documents(value: Any) -> bool:
    """Whether a value contains stored documents, whose contents are for the model and not for the person."""
    if isinstance(value, Mapping):
        return any(map(_holds_documents, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return any(map(_holds_documents, value))
    return isinstance(value, BaseMedia)

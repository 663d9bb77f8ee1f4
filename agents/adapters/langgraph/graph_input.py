"""What a client may pass to a graph: the person's message, and the channels that the graph's author has opened.

A graph's state contains things that a browser must not write: who the person is, how many steps are left, what the
model has said. No channel is therefore open by default, and a client can only send messages of its person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args

from langchain_core.messages import BaseMessage, HumanMessage
from langgraph.graph.message import add_messages
from langgraph.managed.base import is_managed_value
from langgraph.pregel import Pregel

from netra.agents.adapters.langgraph.chat_history import KEY
from netra.agents.adapters.shown import clean
from websocket_core.errors import InvalidAction

MESSAGE = "message"
_PERSON = ("user", "human")
_MESSAGE_KEYS = {"role", "type", "content"}


class GraphInput:
    """Converts a run's input into a graph's input.

    Args:
        graph: the graph.
        channels: channels of its input that clients may write in addition to `message`.
        schema_names: whether the author's `input_schema` lists the allowed fields. It has already been checked.

    Attributes:
        names: the channels of the graph's input; `None` for a graph that accepts any value.

    Raises:
        ValueError: the graph has no such input channel.
    """

    def __init__(self, graph: Pregel[Any, Any, Any, Any], channels: Iterable[str], *, schema_names: bool) -> None:
        if isinstance(channels, str):
            raise ValueError(f"channels= needs the names of channels: write ({channels!r},)")
        self._opened, self._by_schema = frozenset(channels), schema_names
        known = self.names = _input_names(graph)
        unknown = sorted(name for name in self._opened if known is not None and name not in known)
        if unknown:
            raise ValueError(
                f"channels= names {', '.join(unknown)}, which the graph's input does not have: {', '.join(known or ())}"
            )
        self._says = KEY in (known if known is not None else graph.channels)
        self._of_messages = {name for name, channel in graph.channels.items() if _holds_messages(channel)} | {KEY}

    def read(self, input: Any) -> Any:
        """The graph's input.

        Raises:
            InvalidAction: the graph does not accept it.
        """
        if not isinstance(input, dict):
            if self._by_schema:
                return input
            raise InvalidAction('This agent needs {"message": "…"}.', field="input")
        given: dict[str, Any] = {}
        for name, value in input.items():
            if name != MESSAGE and not self._by_schema and name not in self._opened:
                raise InvalidAction("The agent does not accept this. Leave it out.", field=f"input.{name:.100}")
            given[name] = _persons_messages(value, f"input.{name}") if name in self._of_messages else value
        if MESSAGE not in given or (self._by_schema and not self._says):
            return given
        said = _content(given.pop(MESSAGE), "input.message")
        if not self._says:
            return {**given, MESSAGE: said}
        return {**given, KEY: [*given.get(KEY, ()), HumanMessage(said)]}


def _persons_messages(value: Any, field: str) -> list[HumanMessage]:
    """Messages that the person may have sent: only the person's, and none that replaces or removes an earlier one."""
    if not isinstance(value, list):
        raise InvalidAction("This must be a list of messages.", field=field)
    return [_persons_message(message, f"{field}.{place}") for place, message in enumerate(value)]


def _persons_message(message: Any, field: str) -> HumanMessage:
    if isinstance(message, str):
        return HumanMessage(clean(message))
    if not isinstance(message, dict):
        raise InvalidAction('A message must be {"role": "user", "content": "…"}.', field=field)
    whose = [message[key] for key in ("role", "type") if key in message]
    if not whose or any(one not in _PERSON for one in whose):
        named = "role" if "role" in message or not whose else "type"
        raise InvalidAction("Only the person's messages are accepted: the role must be user.", field=f"{field}.{named}")
    for key in message:
        if key not in _MESSAGE_KEYS:
            raise InvalidAction("A message has only a role and a content. Leave this out.", field=f"{field}.{key:.100}")
    return HumanMessage(_content(message.get("content"), f"{field}.content"))


def _content(value: Any, field: str) -> Any:
    """A text, or a list of text parts."""
    if isinstance(value, str):
        return clean(value)
    if not isinstance(value, list) or not value:
        raise InvalidAction('This must be a text, or a list of {"type": "text", "text": "…"}.', field=field)
    return [_part(part, f"{field}.{place}") for place, part in enumerate(value)]


def _part(part: Any, field: str) -> dict[str, str]:
    if isinstance(part, str):
        return {"type": "text", "text": clean(part)}
    if not isinstance(part, dict) or part.keys() != {"type", "text"} or part["type"] != "text":
        raise InvalidAction('A part of a message must be {"type": "text", "text": "…"}.', field=field)
    if not isinstance(part["text"], str):
        raise InvalidAction("This must be a text.", field=f"{field}.text")
    return {"type": "text", "text": clean(part["text"])}


def _input_names(graph: Pregel[Any, Any, Any, Any]) -> list[str] | None:
    """The input channels of this graph; `None` if it accepts a value without channels."""
    builder = getattr(graph, "builder", None)
    schemas = getattr(builder, "schemas", None)
    if isinstance(schemas, Mapping):
        schema = schemas.get(getattr(builder, "input_schema", None), {})
        names: Iterable[str] = [name for name, channel in schema.items() if not is_managed_value(channel)]
    elif isinstance(graph.input_channels, str):
        return None if graph.input_channels.startswith("__") else [graph.input_channels]
    else:
        names = graph.input_channels
    return [name for name in names if not name.startswith("__")]


def takes_removals(channel: Any) -> bool:
    """Whether messages can be removed from a channel by `RemoveMessage`."""
    reducer = getattr(channel, "operator", None)
    inner = getattr(reducer, "func", reducer)  # add_messages(format=…) is a partial
    return getattr(inner, "__module__", None) == add_messages.__module__


def _holds_messages(channel: Any) -> bool:
    """Whether a channel holds messages, whatever its name."""
    return takes_removals(channel) or _names_messages(getattr(channel, "typ", None))


def _names_messages(kind: Any) -> bool:
    if isinstance(kind, type) and issubclass(kind, BaseMessage):
        return True
    return any(_names_messages(argument) for argument in get_args(kind))

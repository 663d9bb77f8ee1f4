"""The public part of a graph's state: the channels of its output, or all except private ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.managed.base import is_managed_value
from langgraph.pregel import Pregel
from langgraph.pregel.protocol import PregelProtocol
from langgraph.types import Overwrite


class PublicState:
    """Selects the public part of an update.

    Args:
        graph: the graph. Its subgraphs are included if LangGraph knows them.
    """

    def __init__(self, graph: Pregel[Any, Any, Any, Any]) -> None:
        self._public: dict[tuple[str, ...], frozenset[str] | None] = {(): public_channels(graph)}
        for name, inner in graph.get_subgraphs(recurse=True):
            self._public[tuple(name.split("|"))] = public_channels(inner)

    def has_keys(self, path: tuple[str, ...]) -> bool:
        """Whether the graph at this path has a state with keys. Functions return any value."""
        return self._public.get(tuple(part.split(":")[0] for part in path), frozenset()) is not None

    def of(self, path: tuple[str, ...], update: Any) -> Any:
        """A node's writes without messages, which are sent separately, and without private channels."""
        if not isinstance(update, Mapping):
            return None if _is_messages(update) else update
        public = self._public.get(tuple(part.split(":")[0] for part in path))
        return {
            key: value.value if isinstance(value, Overwrite) else value
            for key, value in update.items()
            if value is not None
            and not _is_messages(value)
            and (public is None or key in public)
            and not key.startswith("__")
        }


def public_channels(graph: PregelProtocol[Any, Any, Any, Any]) -> frozenset[str] | None:
    """The channels of the graph's output, if it names one, otherwise those of its state.

    Returns:
        `None` for graphs without a schema.
    """
    builder = getattr(graph, "builder", None)
    schemas = getattr(builder, "schemas", None)
    schema = getattr(builder, "output_schema", None) or getattr(builder, "state_schema", None)
    if not isinstance(schemas, Mapping) or schema not in schemas:
        return None
    return frozenset(name for name, channel in schemas[schema].items() if not is_managed_value(channel))


def names_output(graph: Pregel[Any, Any, Any, Any]) -> bool:
    """Whether the graph's author has named its output (`output_schema`)."""
    builder = getattr(graph, "builder", None)
    output = getattr(builder, "output_schema", None)
    if getattr(output, "__module__", None) == "langchain.agents.factory":
        return False  # `create_agent` uses the whole state as output
    return output is not None and output is not getattr(builder, "state_schema", None)


def message_ids(value: Any) -> list[str]:
    """The ids of the messages in a channel."""
    return [one.id for one in value if isinstance(one, BaseMessage) and one.id] if isinstance(value, list) else []


def _is_messages(value: Any) -> bool:
    value = value.value if isinstance(value, Overwrite) else value
    if isinstance(value, BaseMessage):
        return True
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(item, BaseMessage) for item in value)

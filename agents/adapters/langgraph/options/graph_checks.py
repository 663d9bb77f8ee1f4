"""Detects mistakes in a graph's registration that no run would reveal: every run would fail, or be silent."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

from langgraph.pregel import Pregel
from pydantic import BaseModel

log = logging.getLogger(__name__)

AnyGraph = Pregel[Any, Any, Any, Any]


def check_speech(name: str, graph: AnyGraph, keys: Sequence[str], nodes: Sequence[str] | None) -> None:
    """Refuse unknown names of keys and nodes, because the graph would never say anything.

    Raises:
        ValueError: the graph has no such key, or no such node.
    """
    for option, value in (("speaking_keys", keys), ("speaking_nodes", nodes)):
        if isinstance(value, str):
            raise ValueError(f"{option}= of graph {name!r} needs a sequence of names: write ({value!r},)")
    if getattr(graph, "builder", None) is None:
        return  # the tasks of a function are known only when they run
    graphs: list[Any] = [graph, *(inner for _, inner in graph.get_subgraphs(recurse=True))]
    known_keys = {key for one in graphs for key in getattr(one, "channels", ())}
    known_nodes = {node for one in graphs for node in getattr(one, "nodes", ())}
    missing = [key for key in keys if key not in known_keys and tuple(keys) != ("messages",)]
    if missing:
        raise ValueError(f"speaking_keys= of graph {name!r} names {', '.join(missing)}, which no state of it has")
    missing = [node for node in nodes or () if node not in known_nodes]
    if missing:
        raise ValueError(f"speaking_nodes= of graph {name!r} names {', '.join(missing)}; there is no such node")


def check_context(name: str, graph: AnyGraph, context: Any) -> None:
    """Refuse a context that does not match its schema.

    Raises:
        ValueError: it does not match.
    """
    schema = graph.context_schema
    made = isinstance(schema, type) and (dataclasses.is_dataclass(schema) or issubclass(schema, BaseModel))
    if not made or not isinstance(schema, type) or not isinstance(context, dict):
        return
    try:
        schema(**context)
    except (TypeError, ValueError) as error:
        raise ValueError(f"context= of graph {name!r} does not match {schema.__name__}: {error}") from None


def warn_of_lost_words(name: str, takes: Sequence[str] | None) -> None:
    """Warn of a graph that receives nothing of what a person says.

    Args:
        takes: the channels of its input that clients may write; `None` if a function of the author creates the input.
    """
    if takes is not None and not {"messages", "message"}.intersection(takes):
        log.warning(
            "graph %s: its input has neither messages nor message, so people's messages do not reach it: open channels "
            "with channels=, or pass input=",
            name,
        )

"""Registers a LangGraph graph."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.channels import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel

from netra.agents.adapters.langgraph.adapted_graph import LangGraphAgent
from netra.agents.adapters.langgraph.graph_input import GraphInput
from netra.agents.adapters.langgraph.graph_result import GraphResult
from netra.agents.adapters.langgraph.options.author_options import as_function
from netra.agents.adapters.langgraph.options.graph_checks import check_context, check_speech, warn_of_lost_words
from netra.agents.adapters.langgraph.options.savers import refuse_sync_saver
from netra.agents.adapters.langgraph.stream.event_stream import Speech
from netra.agents.adapters.langgraph.stream.public_state import PublicState
from netra.agents.authoring.input_schemas import InputSchema, closed
from netra.agents.base import OnLoss
from netra.agents.registry import register

log = logging.getLogger(__name__)


def register_graph(
    name: str,
    graph: Pregel[Any, Any, Any, Any] | StateGraph[Any, Any, Any, Any],
    *,
    description: str = "",
    input: Callable[[Any], Any] | None = None,
    result: Callable[[Any], Any] | None = None,
    context: Any = None,
    config: RunnableConfig | Callable[..., Any] | None = None,
    channels: Sequence[str] = (),
    states: bool = True,
    speaking_keys: Sequence[str] = ("messages",),
    speaking_nodes: Sequence[str] | None = None,
    input_schema: dict[str, Any] | None = None,
    aliases: tuple[str, ...] = (),
    on_loss: OnLoss = "fail",
    timeout: float | None = None,
    permission: str = "",
) -> type[LangGraphAgent]:
    """Let clients start a graph.

    A thread's checkpoint is stored with the thread, in Netra's database. A graph compiled with its own checkpointer
    keeps it, and every thread of every user has a separate place in it. The exception is an `InMemorySaver`, which is
    replaced because it would lose everything with its process.

    Args:
        name: the name that clients use.
        graph: a compiled graph, or a builder.
        description: for people.
        input: creates the graph's input from the run's; may be async. By default, `{"message": …}`, a text or a list of
            text parts, becomes a message of the person in `messages`, and nothing else is accepted.
        result: creates the run's result from the graph's output; may be async. By default, it is the text of the last
            answer; with an `output_schema`, or without answers, the output's channels.
        context: the runtime's context, or a function that returns it. The function is called with Netra's context and
            the input, and may be async.
        config: LangChain's config (`recursion_limit`, `tags`, `configurable`, …), or such a function. `configurable`
            always contains `user_id`, `thread_id` and `run_id`.
        channels: channels of the graph's input that clients may write in addition to `message`. Messages in them are
            always the person's.
        states: whether updates of the graph's nodes are published as `agent_state`. Private channels, and those outside
            an `output_schema`, never are.
        speaking_keys: keys of the state whose messages are answers. Messages in other keys are internal.
        speaking_nodes: nodes (or subgraphs) whose models and messages are sent; by default all.
        input_schema: JSON Schema of `input`. An invalid input starts no run. Without `input=`, the fields that it names
            are passed to the graph. Others are refused, unless it allows them (`additionalProperties`).
        aliases: other names of the agent.
        on_loss: "retry" starts a new run if the worker dies during one. Only if every node may run twice.
        timeout: seconds until a run fails with `timeout`.
        permission: a Django permission, `app.codename`. For users without it, the agent does not exist.

    Returns:
        The registered class.

    Raises:
        TypeError: `graph` is not a graph, or `context` or `config` cannot be used.
        ValueError: the name is invalid or taken; `input_schema` is not a JSON Schema; `channels` are not channels of
            the graph's input; its checkpointer has no async methods, or its checkpoints cannot be stored with a thread;
            or the graph does not have the named keys, nodes or fields of the context.
    """
    compiled = graph.compile() if isinstance(graph, StateGraph) else graph
    if not isinstance(compiled, Pregel):
        raise TypeError(f"register_graph needs a compiled graph or a StateGraph, not {type(graph).__name__}")
    if isinstance(compiled.checkpointer, InMemorySaver):
        log.info("graph %s: its InMemorySaver is replaced; its checkpoints are stored with its threads", name)
        compiled = compiled.copy({"checkpointer": None})
    if not isinstance(compiled.checkpointer, BaseCheckpointSaver) and any(
        isinstance(channel, DeltaChannel) for channel in compiled.channels.values()
    ):
        raise ValueError(
            f"graph {name!r} has a DeltaChannel: compile it with a checkpointer that keeps all checkpoints"
        )
    if isinstance(compiled.checkpointer, BaseCheckpointSaver):
        refuse_sync_saver(name, compiled.checkpointer)
    if channels and input is not None:
        raise ValueError(f"graph {name!r} has input= and channels=: the function alone decides what the graph receives")
    enforced = closed(input_schema, channels) if isinstance(input_schema, dict) and input is None else input_schema
    make_config = as_function(name, "config", config)
    make_context = as_function(name, "context", context)
    check_speech(name, compiled, speaking_keys, speaking_nodes)
    if make_context is None:
        check_context(name, compiled, context)
    graph_input = None if input else GraphInput(compiled, channels, schema_names=input_schema is not None)
    if graph_input is not None and not channels and input_schema is None:
        warn_of_lost_words(name, graph_input.names)
    members = {
        "__module__": sys._getframe(1).f_globals.get("__name__", __name__),  # the author's module, for errors and logs
        "__doc__": description,
        "name": name,
        "description": description,
        "input_schema": input_schema,
        "enforced_schema": None if enforced is None else InputSchema(name, enforced),
        "graph_input": graph_input,
        "aliases": aliases,
        "on_loss": on_loss,
        "timeout": timeout,
        "permission": permission,
        "graph": compiled,
        "config": {} if make_config else dict(cast(RunnableConfig, config or {})),
        "make_config": _method(make_config),
        "make_input": _method(input),
        "make_result": _method(result),
        "graph_context": None if make_context else context,
        "make_context": _method(make_context),
        "speech": Speech(speaking_keys, speaking_nodes),
        "states": PublicState(compiled) if states else None,
        "result": GraphResult(compiled, speaking_keys),
    }
    adapted = type(f"{name}_graph", (LangGraphAgent,), members)
    register(adapted)
    return adapted


def _method(function: Callable[..., Any] | None) -> Any:
    return None if function is None else staticmethod(function)

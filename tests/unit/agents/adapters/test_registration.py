"""Registering agents of other frameworks: mistakes are said at once."""

from typing import Annotated, Any, TypedDict

import pytest
from langgraph.channels import DeltaChannel
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from pydantic_ai import Agent

from agents import registry
from agents.adapters.langgraph import register_graph
from agents.adapters.pydantic_ai import register_agent


@pytest.fixture(autouse=True)
def restored():
    before = dict(registry._classes)
    yield
    registry._classes.clear()
    registry._classes.update(before)


class State(TypedDict):
    value: int


def graph() -> StateGraph[Any, Any, Any, Any]:
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(State)
    builder.add_node("node", lambda state: {})
    builder.add_edge(START, "node")
    return builder


def test_register_agent__is_found_by_name_and_alias():
    made = register_agent("a", Agent("test"), description="Answers", aliases=("b",), timeout=5)
    assert registry.find("a") is registry.find("b") is made
    assert (made.description, made.timeout, made.__module__) == ("Answers", 5, __name__)


def test_register_agent__refuses_what_is_no_agent_and_options_there_are_not():
    with pytest.raises(TypeError, match=r"takes a pydantic_ai\.Agent, not str"):
        register_agent("a", "openai:gpt")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"no such option.*usage_limit"):
        register_agent("a", Agent("test"), usage_limit=1)
    with pytest.raises(TypeError, match="message_history"):
        register_agent("a", Agent("test"), message_history=[])


def test_register_agent__refuses_a_name_that_another_module_has():
    register_agent("a", Agent("test"))
    registry._classes["a"].__module__ = "somewhere.else"
    with pytest.raises(ValueError, match="taken by somewhere"):
        register_agent("a", Agent("test"))


def test_register_graph__takes_builders_and_compiled_graphs():
    assert register_graph("a", graph()).graph.checkpointer is None
    assert registry.find("a").__module__ == __name__
    assert register_graph("b", graph().compile(checkpointer=InMemorySaver())).graph.checkpointer is None


def test_register_graph__refuses_what_is_no_graph():
    with pytest.raises(TypeError, match="not function"):
        register_graph("a", lambda: None)  # type: ignore[arg-type]


def test_register_graph__refuses_a_graph_whose_newest_checkpoint_is_not_all():
    class Deltas(TypedDict):
        items: Annotated[
            list[int], DeltaChannel(lambda state, writes: state + [one for write in writes for one in write])
        ]

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(Deltas)
    builder.add_node("node", lambda state: {})
    builder.add_edge(START, "node")
    with pytest.raises(ValueError, match="compile it with a checkpointer"):
        register_graph("a", builder)

"""Registering agents of other frameworks: mistakes are said at once."""

import dataclasses
import functools
from fractions import Fraction
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.channels import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, StateGraph
from pydantic_ai import Agent, DeferredToolRequests
from pydantic_ai.agent import WrapperAgent

from netra.agents.adapters.langgraph import register_graph
from netra.agents.adapters.pydantic_ai import register_agent
from netra.agents.registry import names as agent_names
from netra.agents.registry import registered as registry


@pytest.fixture(autouse=True)
def restored():
    before = dict(agent_names.classes)
    yield
    agent_names.classes.clear()
    agent_names.classes.update(before)


class State(TypedDict):
    value: int


class CallableWithoutArguments:
    """Would be called for every run, and fail."""

    def __call__(self) -> None:
        """Nothing."""


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
    with pytest.raises(TypeError, match=r"needs a pydantic_ai\.Agent, not str"):
        register_agent("a", "openai:gpt")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"no such option.*usage_limit"):
        register_agent("a", Agent("test"), usage_limit=1)
    with pytest.raises(TypeError, match="message_history"):
        register_agent("a", Agent("test"), message_history=[])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"prompt": "Be brief."}, "prompt of agent a is called with the input"),
        ({"prompt": lambda ctx, input: ""}, "prompt of agent a is called with the input, but takes"),
        ({"deps": lambda: None}, "deps of agent a is called with the context and the input, but takes"),
        ({"deps": State}, None),
        ({"deps": functools.partial(lambda one, ctx: one, 1)}, "deps of agent a is called"),
        ({"deps": Fraction}, None),
        ({"deps": {"not": "called"}}, None),
        ({"deps": CallableWithoutArguments()}, "lambda ctx, input: value"),
    ],
)
def test_register_agent__refuses_what_cannot_be_called_as_it_will_be(options, says):
    if says is None:
        register_agent("a", Agent("test"), **options)
        return
    with pytest.raises(TypeError, match=says):
        register_agent("a", Agent("test"), **options)


@pytest.mark.parametrize("options", [{"timeout": 0}, {"on_loss": "sometimes"}, {"memory_bytes": -1}])
def test_register_agent__refuses_options_that_cannot_be(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} of agent a"):
        register_agent("a", Agent("test"), **options)


def test_register_agent__refuses_an_agent_without_a_model():
    with pytest.raises(ValueError, match="agent a has no model"):
        register_agent("a", Agent())
    register_agent("a", Agent(), model="test")


def validated(**options: Any) -> Agent[Any, Any]:
    agent: Agent[Any, Any] = Agent("test", **options)
    agent.output_validator(lambda text: text)
    agent.tool_plain(requires_approval=True)(delete)
    return agent


def delete(what: str) -> str:
    """Delete something."""
    return what


def test_register_agent__refuses_tools_that_nobody_could_be_asked_about():
    for agent in (validated(), WrapperAgent(WrapperAgent(validated()))):
        with pytest.raises(ValueError, match=r"need approval \(delete\).*DeferredToolRequests"):
            register_agent("a", agent)
    register_agent("a", validated(output_type=[str, DeferredToolRequests]))


def test_register_agent__refuses_output_types_that_cannot_be():
    with pytest.raises(ValueError, match="accepts no other output type"):
        register_agent("a", WrapperAgent(validated(output_type=[str, DeferredToolRequests])), output_type=int)
    with pytest.raises(ValueError, match="output_type of agent a cannot be used"):
        register_agent("a", Agent("test"), output_type=3)
    register_agent("a", Agent("test"), output_type=int)


def test_register_agent__refuses_agents_that_run_in_a_workflow_of_their_own():
    elsewhere = type("DBOSAgent", (WrapperAgent,), {"__module__": "pydantic_ai.durable_exec.dbos._agent"})
    mine = type("MyAgent", (elsewhere,), {})
    for kind in (elsewhere, mine):
        with pytest.raises(ValueError, match=r"is a DBOSAgent.*Register the agent that it wraps"):
            register_agent("a", kind(Agent("test")))


def test_register_agent__refuses_a_name_that_another_module_has():
    register_agent("a", Agent("test"))
    agent_names.classes["a"].__module__ = "somewhere.else"
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


def test_register_graph__refuses_a_saver_that_only_blocks(tmp_path):
    advice = r"use AsyncSqliteSaver of langgraph\.checkpoint\.sqlite\.aio"
    with SqliteSaver.from_conn_string(str(tmp_path / "db")) as saver, pytest.raises(ValueError, match=advice):
        register_graph("a", graph().compile(checkpointer=saver))

    class Blocking(BaseCheckpointSaver[str]):
        """As PostgresSaver: it has the blocking methods only."""

    with pytest.raises(ValueError, match=r"Blocking, which has no async methods: .*aget_tuple, aput, aput_writes"):
        register_graph("a", graph().compile(checkpointer=Blocking()))
    assert "a" not in agent_names.classes


async def test_register_graph__keeps_a_saver_that_has_async_methods(tmp_path):
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "db")) as saver:
        assert register_graph("a", graph().compile(checkpointer=saver)).graph.checkpointer is saver


class Maker:
    def __call__(self, ctx: Any, input: Any) -> dict[str, Any]:
        return {"made": True}


@pytest.mark.parametrize("option", ["context", "config"])
def test_register_graph__refuses_a_class_where_an_object_belongs(option):
    with pytest.raises(TypeError, match=f"{option}= of graph 'a' is the class Maker"):
        register_graph("a", graph(), **{option: Maker})  # type: ignore[arg-type]


def test_register_graph__refuses_a_function_that_cannot_be_called():
    with pytest.raises(TypeError, match=r"context= of graph 'a' is called with \(ctx, input\)"):
        register_graph("a", graph(), context=lambda: {"n": 1})
    with pytest.raises(TypeError, match=r"config= of graph 'a' is called with \(ctx, input\)"):
        register_graph("a", graph(), config=lambda a, b, c: {})


@pytest.mark.parametrize(
    "context",
    [Maker(), Maker().__call__, functools.partial(lambda extra, ctx, input: {"made": True}, 1), lambda ctx: 1],
)
def test_register_graph__calls_whatever_can_be_called(context):
    made = register_graph("a", graph(), context=context)
    assert made.graph_context is None
    assert made.make_context is not None
    assert register_graph("a", graph(), context={"x": 1}).graph_context == {"x": 1}


def test_register_graph__refuses_a_schema_or_channels_that_cannot_be():
    with pytest.raises(ValueError, match="input_schema of agent a"):
        register_graph("a", graph(), input_schema={"type": "strin"})
    with pytest.raises(ValueError, match="does not have: value"):
        register_graph("a", graph(), channels=("other",))
    with pytest.raises(ValueError, match="input= and channels="):
        register_graph("a", graph(), channels=("value",), input=lambda input: input)


def test_register_graph__refuses_names_and_contexts_that_are_not_the_graphs():
    @dataclasses.dataclass
    class Context:
        user: str

    with pytest.raises(ValueError, match="names nobody; there is no such node"):
        register_graph("a", graph(), speaking_nodes=("nobody",))
    with pytest.raises(ValueError, match="names reply, which no state of it has"):
        register_graph("a", graph(), speaking_keys=("reply",))
    with pytest.raises(ValueError, match=r"speaking_nodes= of graph 'a' needs a sequence of names: write \('node',\)"):
        register_graph("a", graph(), speaking_nodes="node")
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(State, context_schema=Context)
    builder.add_node("node", lambda state: {})
    builder.add_edge(START, "node")
    with pytest.raises(ValueError, match="context= of graph 'a' does not match Context"):
        register_graph("a", builder, context={"person": "ada"})
    register_graph("a", builder, context={"user": "ada"}, speaking_nodes=("node",))


def test_register_graph__warns_of_a_graph_that_hears_nobody(caplog):
    register_graph("a", graph())
    assert "people's messages do not reach it" in caplog.text
    caplog.clear()
    register_graph("b", graph(), channels=("value",))
    register_graph("c", graph(), input=lambda input: input)
    assert not caplog.text

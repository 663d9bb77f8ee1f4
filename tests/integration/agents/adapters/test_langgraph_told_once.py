"""What a graph shows: every text once, finished siblings once, nothing of its own names, state or documents."""

import asyncio
import operator
from typing import Annotated, Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.tools import InjectedToolCallId, tool
from langgraph.cache.memory import InMemoryCache
from langgraph.func import entrypoint
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import InjectedState
from langgraph.types import CachePolicy, Command, Overwrite, Send, interrupt
from pydantic import BaseModel

from integration.agents.adapters.langgraph_models import ScriptedChat, call, chat_graph, registered, script
from integration.agents.adapters.runs import Runs, new_thread

FIVE: list[Any] = ["one ", "two ", "three ", "four ", "five"]


def one_node(body: Any, state: Any = MessagesState, **schemas: Any) -> StateGraph[Any, Any, Any, Any]:
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(state, **schemas)
    builder.add_node("node", body)
    builder.add_edge(START, "node")
    return builder


def texts(run: Any) -> list[str]:
    return list(run.text("agent_message").values())


# --- texts


async def test_a_node_that_collects_a_stream_into_a_message_of_its_own(runs: Runs) -> None:
    model = script(FIVE)

    async def collect(state: MessagesState) -> dict[str, Any]:
        text = ""
        async for chunk in model.astream(state["messages"]):
            text += chunk.text
        return {"messages": [AIMessage(text)]}

    run = await runs.ask(registered(one_node(collect)), "Count")
    assert texts(run) == ["one two three four five"]
    assert run.end["result"] == "one two three four five"


@pytest.mark.parametrize("how", ["node", "command", "inner node"])
async def test_a_supervisor_that_wraps_what_an_inner_agent_said(runs: Runs, how: str) -> None:
    inner = chat_graph(script(FIVE)).compile()

    async def supervise(state: MessagesState) -> Any:
        result = await inner.ainvoke({"messages": state["messages"]})
        update = {"messages": [AIMessage(result["messages"][-1].content, name="researcher")]}
        return Command(update=update) if how == "command" else update

    graph = one_node(supervise)
    if how == "inner node":
        outer: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
        outer.add_node("team", graph.compile())
        outer.add_edge(START, "team")
        graph = outer
    assert texts(await runs.ask(registered(graph), "Count")) == ["one two three four five"]


async def test_middleware_that_writes_the_answer_anew_under_another_id(runs: Runs) -> None:
    class Anew(AgentMiddleware):
        def after_model(self, state: Any, runtime: Any) -> dict[str, Any]:
            return {"messages": [AIMessage(state["messages"][-1].text, id="of-the-middleware")]}

    agent = create_agent(script(FIVE), [], middleware=[Anew()])
    assert texts(await runs.ask(registered(agent), "Count")) == ["one two three four five"]


async def test_a_function_that_returns_what_it_has_streamed(runs: Runs) -> None:
    model = script(FIVE)

    @entrypoint()
    async def answer(input: dict[str, Any]) -> AIMessage:
        return AIMessage((await model.ainvoke(input["message"])).text)

    run = await runs.ask(registered(answer), "Count")
    assert texts(run) == ["one two three four five"]
    assert run.end["result"] == "one two three four five"


async def test_a_model_that_does_not_stream_is_told_once(runs: Runs) -> None:
    class Silent(ScriptedChat):
        disable_streaming: bool = True

    run = await runs.ask(registered(chat_graph(Silent(turn=lambda messages: ["Hello."]))), "Hi")
    assert texts(run) == ["Hello."]


async def test_a_model_that_says_the_same_again_is_told_again(runs: Runs) -> None:
    class Silent(ScriptedChat):
        disable_streaming: bool = True

    for model in (Silent(turn=lambda messages: ["Yes."]), script(["Yes."])):

        async def answer(state: MessagesState, model: Any = model) -> dict[str, Any]:
            return {"messages": [await model.ainvoke("go")]}

        builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
        builder.add_node("first", answer)
        builder.add_node("second", answer)
        builder.add_edge(START, "first")
        builder.add_edge("first", "second")
        assert texts(await runs.ask(registered(builder), "Go")) == ["Yes.", "Yes."]


async def test_a_node_that_joins_what_several_models_said(runs: Runs) -> None:
    models = [script(["One. "]), script(["Two."])]

    async def join(state: MessagesState) -> dict[str, Any]:
        parts = [(await model.ainvoke("go")).text for model in models]
        return {"messages": [AIMessage("\n\n".join(parts))]}

    assert texts(await runs.ask(registered(one_node(join)), "Go")) == ["One. ", "Two."]


async def test_parallel_tasks_that_collect_the_same_words_are_all_told(runs: Runs) -> None:
    model = script(["Same."])

    class Fanned(MessagesState):
        number: int

    async def work(state: Any) -> dict[str, Any]:
        return {"messages": [AIMessage((await model.ainvoke("go")).text)]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(Fanned)
    builder.add_node("work", work)
    builder.add_conditional_edges(START, lambda state: [Send("work", {"number": n}) for n in range(3)], ["work"])
    assert texts(await runs.ask(registered(builder), "Go")) == ["Same."] * 3


async def test_what_is_really_said_twice_is_told_twice(runs: Runs) -> None:
    async def say(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("Working on it.")]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("first", say)
    builder.add_node("second", say)
    builder.add_edge(START, "first")
    builder.add_edge("first", "second")
    name, thread = registered(builder), new_thread()
    assert texts(await runs.ask(name, "Go", thread)) == ["Working on it."] * 2
    assert texts(await runs.ask(name, "Go", thread)) == ["Working on it."] * 2


async def test_a_node_that_returns_the_whole_history_tells_only_what_is_new(runs: Runs) -> None:
    async def repeat(state: MessagesState) -> dict[str, Any]:
        return {"messages": Overwrite([*state["messages"], AIMessage(f"Answer {len(state['messages'])}")])}

    name, thread = registered(one_node(repeat)), new_thread()
    assert texts(await runs.ask(name, "One", thread)) == ["Answer 1"]
    assert texts(await runs.ask(name, "Two", thread)) == ["Answer 3"]


class Scratch(MessagesState):
    scratchpad: Annotated[list[BaseMessage], add_messages]
    reply: Annotated[list[BaseMessage], add_messages]


async def think(state: Scratch) -> dict[str, Any]:
    return {
        "scratchpad": [AIMessage("INTERNAL: the customer is annoying")],
        "messages": [AIMessage("How can I help?")],
        "reply": [AIMessage("Yes?")],
    }


async def test_pieces_of_messages_that_nodes_return_are_judged_by_their_key_too(runs: Runs) -> None:
    model = script(FIVE)

    async def node(state: Scratch) -> dict[str, Any]:
        whole = None
        async for chunk in model.astream("go"):
            whole = chunk if whole is None else whole + chunk
        assert whole is not None
        return {
            "scratchpad": [AIMessageChunk(content="INTERNAL")],
            "messages": [AIMessageChunk(content=whole.text), AIMessageChunk(content="More.")],
        }

    run = await runs.ask(registered(one_node(node, Scratch)), "Count")
    assert texts(run) == ["one two three four five", "More."]
    assert "INTERNAL" not in str(run.frames)


async def test_a_function_that_returns_many_objects_is_told_as_one(runs: Runs) -> None:
    @entrypoint()
    async def rows(input: dict[str, Any]) -> list[dict[str, int]]:
        return [{"n": number} for number in range(5)]

    run = await runs.ask(registered(rows), "Go")
    assert [data["state"] for data in run.data("agent_state")] == [{"node": "rows", "update": run.end["result"]}]


async def test_messages_in_keys_of_the_graphs_own_are_not_told(runs: Runs) -> None:
    run = await runs.ask(registered(one_node(think, Scratch)), "Hi")
    assert texts(run) == ["How can I help?"]
    assert run.end["result"] == "How can I help?"
    assert "INTERNAL" not in str(run.frames)


async def test_the_author_names_the_keys_and_nodes_that_speak(runs: Runs) -> None:
    run = await runs.ask(registered(one_node(think, Scratch), speaking_keys=("reply",)), "Hi")
    assert texts(run) == ["Yes?"]
    assert run.end["result"] == "Yes?"

    def saying(text: str) -> Any:
        model = script([text])

        async def node(state: MessagesState) -> dict[str, Any]:
            return {"messages": [await model.ainvoke(state["messages"])]}

        return node

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("guard", saying("INTERNAL verdict"))
    builder.add_node("answer", saying("Hello."))
    builder.add_edge(START, "guard")
    builder.add_edge("guard", "answer")
    run = await runs.ask(registered(builder, speaking_nodes=("answer",)), "Hi")
    assert texts(run) == ["Hello."]
    assert "INTERNAL" not in str(run.frames)


# --- steps that go on


class Log(TypedDict):
    log: Annotated[list[Any], operator.add]


async def test_finished_siblings_are_not_told_again_after_an_answer(runs: Runs) -> None:
    model = script(["The quick one."])

    async def ask(state: Log) -> dict[str, Any]:
        return {"log": [interrupt("First?"), interrupt("Second?")]}

    async def quick(state: Log) -> dict[str, Any]:
        return {"log": [(await model.ainvoke("go")).text]}

    async def after(state: Log) -> dict[str, Any]:
        return {"log": ["after"]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(Log)
    for name, body in (("ask", ask), ("quick", quick), ("after", after)):
        builder.add_node(name, body)
    builder.add_edge(START, "ask")
    builder.add_edge(START, "quick")
    builder.add_edge(["ask", "quick"], "after")
    outer: StateGraph[Any, Any, Any, Any] = StateGraph(Log)
    outer.add_node("inside", builder.compile())
    outer.add_edge(START, "inside")
    for graph in (builder, outer):
        run_id = await runs.start(registered(graph, channels=("log",)), {"log": []})
        for number in range(2):
            approvals = await runs.rests(run_id)
            while len(approvals) == number:
                approvals = await runs.rests(run_id)
            await runs.respond(approvals[number], approved=True, value=number)
        run = await runs.over(run_id)
        told = [data["state"] for data in run.data("agent_state") if data["state"]["node"] != "inside"]
        assert [(state["node"], state["update"]["log"]) for state in told] == [
            ("quick", ["The quick one."]),
            ("ask", [0, 1]),
            ("after", ["after"]),
        ]
        assert texts(run) == ["The quick one."]
        assert "__" not in str(run.data("agent_state"))


async def test_a_cached_node_is_told_without_langgraphs_marker(runs: Runs) -> None:
    async def work(state: Log) -> dict[str, Any]:
        return {"log": ["worked"]}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(Log)
    builder.add_node("work", work, cache_policy=CachePolicy())
    builder.add_edge(START, "work")
    name = registered(builder.compile(cache=InMemoryCache()), channels=("log",))
    for _ in range(2):
        run = await runs.ask(name, {"log": []}, new_thread())
        assert [data["state"] for data in run.data("agent_state")] == [{"node": "work", "update": {"log": ["worked"]}}]
        assert "__" not in str(run.frames)


# --- results, state, tools


class Rag(MessagesState):
    documents: list[Document]
    path: str


def rag(size: int, **schemas: Any) -> StateGraph[Any, Any, Any, Any]:
    model = script(["It is ", "42."])

    async def answer(state: Rag) -> dict[str, Any]:
        found = [Document("INTERNAL-DOC " + "x" * size, metadata={"source": "/srv/salaries.pdf"}) for _ in range(80)]
        message = await model.ainvoke(state["messages"])
        return {"messages": [message], "documents": found, "path": "/srv/salaries.pdf"}

    return one_node(answer, Rag, **schemas)


@pytest.mark.parametrize("size", [10, 4000])
async def test_the_result_is_the_answer_not_the_documents(runs: Runs, size: int) -> None:
    run = await runs.ask(registered(rag(size), states=False), "How much?")
    assert run.end["result"] == "It is 42."
    assert "INTERNAL-DOC" not in str(run.frames)
    assert "/srv" not in str(run.frames)


async def test_documents_of_a_graph_without_messages_stay_inside_too(runs: Runs) -> None:
    class Asked(TypedDict):
        message: str
        context: dict[str, list[Document]]
        answer: str

    async def answer(state: Asked) -> dict[str, Any]:
        return {"context": {"found": [Document("INTERNAL-DOC")]}, "answer": "42"}

    run = await runs.ask(registered(one_node(answer, Asked), states=False), "How much?")
    assert run.end["result"] == {"message": "How much?", "answer": "42"}
    assert "INTERNAL" not in str(run.frames)


async def test_an_output_schema_says_what_the_result_is_and_what_of_the_state_is_shown(runs: Runs) -> None:
    class Output(MessagesState):
        path: str

    run = await runs.ask(registered(rag(10, output_schema=Output)), "How much?")
    assert run.end["result"] == {"path": "/srv/salaries.pdf", "message": "It is 42."}
    assert [data["state"]["update"] for data in run.data("agent_state")] == [{"path": "/srv/salaries.pdf"}]
    assert "INTERNAL-DOC" not in str(run.frames)


async def test_private_channels_are_never_shown(runs: Runs) -> None:
    class Private(TypedDict):
        secret: str

    class Public(TypedDict):
        shown: str

    async def first(state: Public) -> Any:
        return {"secret": "INTERNAL", "shown": "yes"}

    async def second(state: Private) -> Any:
        return {"shown": "really"}

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(Public)
    builder.add_node("first", first)
    builder.add_node("second", second)
    builder.add_edge(START, "first")
    builder.add_edge("first", "second")
    outer: StateGraph[Any, Any, Any, Any] = StateGraph(Public)
    outer.add_node("inside", builder.compile())
    outer.add_edge(START, "inside")
    for graph in (builder, outer):
        run = await runs.ask(registered(graph, channels=("shown",)), {"shown": ""})
        assert run.end["result"] == {"shown": "really"}
        assert {"shown": "yes"} in [data["state"]["update"] for data in run.data("agent_state")]
        assert "INTERNAL" not in str(run.frames)


async def test_what_is_too_large_beside_the_answer_is_left_out_with_a_note(runs: Runs) -> None:
    class Output(MessagesState):
        table: list[str]
        rows: int

    class State(Output):
        pass

    async def answer(state: State) -> dict[str, Any]:
        return {"messages": [AIMessage("Here.")], "table": ["x" * 1000] * 400, "rows": 400}

    run = await runs.ask(registered(one_node(answer, State, output_schema=Output), states=False), "Go")
    result = run.end["result"]
    assert (result["message"], result["rows"]) == ("Here.", 400)
    assert result["table"] == {"too_large": 400 * 1003 + 1}


async def test_what_json_has_no_form_for_fails_no_run(runs: Runs) -> None:
    class Blob(BaseModel):
        data: bytes = b"\xff\x00"

    class Odd(TypedDict):
        ratio: float
        blob: Any
        seen: set[int]

    async def work(state: Odd) -> dict[str, Any]:
        return {"ratio": float("nan"), "blob": Blob(), "seen": {1}}

    run = await runs.ask(registered(one_node(work, Odd)), {})
    assert run.end["result"] == {"ratio": "NaN", "blob": {"data": "_wA="}, "seen": [1]}


@tool
async def hand_over(
    to: str, tool_call_id: Annotated[str, InjectedToolCallId], state: Annotated[Any, InjectedState]
) -> Any:
    """Hand over."""
    message = ToolMessage(f"Handed over to {to}.", tool_call_id=tool_call_id, name="hand_over")
    if to == "nobody":
        return Command(update={"secret": "INTERNAL-STATE"})
    return Command(update={"secret": "INTERNAL-STATE", "messages": [*state["messages"], message]})


@tool
async def hand_over_in_a_list(tool_call_id: Annotated[str, InjectedToolCallId]) -> Any:
    """Hand over."""
    message = ToolMessage("Gone.", tool_call_id=tool_call_id)
    return [Command(update={"messages": [message], "secret": "INTERNAL-STATE"})]


@pytest.mark.parametrize(
    ("name", "arguments", "result"),
    [
        ("hand_over", '{"to": "sales"}', "Handed over to sales."),
        ("hand_over_in_a_list", "{}", "Gone."),
    ],
)
async def test_a_tool_that_returns_a_command_is_told_by_its_message(runs: Runs, name, arguments, result) -> None:
    class State(MessagesState):
        secret: str

    model = script([call(name, arguments, "call_1")], ["Done."])
    graph = create_agent(model, [hand_over, hand_over_in_a_list], state_schema=State)  # type: ignore[arg-type]
    run = await runs.ask(registered(graph, states=False), "Hand over PRIVATE-WORDS")
    (done,) = run.data("tool_completed")
    assert (done["status"], done["result"]) == ("ok", result)
    tools = str(run.data("tool_executing") + run.data("tool_completed"))
    assert "INTERNAL" not in tools
    assert "PRIVATE-WORDS" not in tools
    assert run.end["result"] == "Done."


async def test_injected_state_is_no_argument_that_is_shown(runs: Runs) -> None:
    model = script([call("hand_over", '{"to": "sales"}', "call_1")], ["Done."])
    run = await runs.ask(registered(create_agent(model, [hand_over])), "PRIVATE-WORDS")
    (begun,) = run.data("tool_executing")
    assert begun["arguments"] == {"to": "sales"}


async def test_stopped_while_a_sibling_runs_nothing_of_langgraph_is_left_behind(runs: Runs) -> None:
    begun = asyncio.Event()

    async def wait(state: Log) -> dict[str, Any]:
        begun.set()
        await asyncio.sleep(60)
        return {}

    run_id = await runs.start(registered(one_node(wait, Log), channels=("log",)), {"log": []})
    await asyncio.wait_for(begun.wait(), 20)
    await runs.stop(run_id)
    assert "__" not in str((await runs.over(run_id)).frames)

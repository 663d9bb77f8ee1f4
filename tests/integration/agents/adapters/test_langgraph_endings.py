"""How runs of graphs end when a model or its provider does not answer, over real HTTP: told for people, with usage."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelCallLimitMiddleware
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from pydantic import SecretStr

from integration.agents.adapters.fake_openai import Answer, FakeOpenAI, fake_openai, tool_call
from integration.agents.adapters.langgraph_models import chat_graph, registered
from integration.agents.adapters.runs import Runs, new_thread

USAGE = {"usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}}
ENTRY = {"provider": "openai", "model": "fake", "input_tokens": 5, "output_tokens": 3, "total_tokens": 8}


class Provider:
    """A provider that answers as it is told to, and refuses what strict ones refuse."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.fake: FakeOpenAI | None = None

    def __call__(self, request: dict[str, Any]) -> Any:
        for message in request["messages"]:
            if message["role"] == "assistant" and not message.get("content") and not message.get("tool_calls"):
                return (400, {}, {"message": "messages must have content"})
        last = [message["content"] for message in request["messages"] if message["role"] == "user"][-1]
        found = self.answers.get(last, [{"content": f"heard {len(request['messages'])}"}, {}, USAGE])
        return found(request) if callable(found) else found

    def model(self, **options: Any) -> ChatOpenAI:
        assert self.fake is not None
        return ChatOpenAI(
            model="fake", base_url=self.fake.url, api_key=SecretStr("test"), max_retries=0, stream_usage=True, **options
        )


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    made = Provider()
    answer: Answer = made
    async with fake_openai(answer) as made.fake:
        yield made


@pytest.mark.parametrize(
    ("answer", "code", "retry_after_ms"),
    [
        ((429, {"retry-after": "7"}, {}), "model_unavailable", 7000),
        ((429, {"retry-after-ms": "1500"}, {"code": "rate_limit_exceeded"}), "model_unavailable", 1500),
        (503, "model_unavailable", None),
        (500, "model_unavailable", None),
        ((408, {}, {}), "model_unavailable", None),
        ([ConnectionError()], "model_unavailable", None),
        ((400, {}, {"code": "content_filter"}), "refused", None),
        ((400, {}, {"code": "context_length_exceeded"}), "agent_error", None),
        (401, "agent_error", None),
        ([{"finish": "content_filter"}], "refused", None),
        ([{"refusal": "I cannot."}, {}], "refused", None),
    ],
)
async def test_what_a_provider_does_ends_a_run_in_words_for_people(
    runs: Runs, provider: Provider, caplog: Any, answer: Any, code: str, retry_after_ms: int | None
) -> None:
    provider.answers["Go"] = answer
    run = await runs.ask(registered(chat_graph(provider.model())), "Go")
    assert (run.types[-1], run.end["code"]) == ("agent_failed", code)
    assert run.end.get("retry_after_ms") == retry_after_ms
    assert "secret of the provider" not in str(run.frames)
    assert not any(used["input_tokens"] for used in run.end.get("usage", []))  # no model has reported any


async def test_an_error_that_is_no_models_stays_what_it_is(runs: Runs) -> None:
    async def node(state: MessagesState) -> dict[str, Any]:
        request = httpx.Request("GET", "https://shop.example")
        raise httpx.HTTPStatusError("the shop is down", request=request, response=httpx.Response(503, request=request))

    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState)
    builder.add_node("node", node)
    builder.set_entry_point("node")
    run = await runs.ask(registered(builder), "Go")
    assert run.end["code"] == "agent_error"
    assert "Incident" in run.end["message"]


@pytest.mark.parametrize(("finish", "told"), [("length", "length"), ("content_filter", "content_filter"), (None, None)])
async def test_why_an_answer_ended_is_told(
    runs: Runs, provider: Provider, finish: str | None, told: str | None
) -> None:
    provider.answers["Go"] = [{"content": "half of"}, {"finish": finish} if finish else {}, USAGE]
    run = await runs.ask(registered(chat_graph(provider.model())), "Go")
    assert run.end["result"] == "half of"
    assert run.end.get("finish_reason") == told
    assert run.end["usage"] == [ENTRY]


@pytest.mark.parametrize("saver", ["Netra's", "its own"])
@pytest.mark.parametrize(
    "empty",
    [[{"finish": "content_filter"}], [{"refusal": "I cannot."}, {}], [{"content": ""}, {}], [{"content": " "}, {}]],
)
async def test_after_an_empty_answer_the_thread_goes_on_with_a_strict_provider(
    runs: Runs, provider: Provider, tmp_path: Any, empty: Any, saver: str
) -> None:
    provider.answers["Bad"] = empty
    builder = chat_graph(provider.model())
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "db")) as own:
        graph = builder if saver == "Netra's" else builder.compile(checkpointer=own)
        name, thread = registered(graph), new_thread()
        assert (await runs.ask(name, "Hello", thread)).end["result"] == "heard 1"
        refused = await runs.ask(name, "Bad", thread)
        assert refused.end.get("code") == ("refused" if empty[0] != {"content": " "} else None)
        after = await runs.ask(name, "And now?", thread)
    assert after.types[-1] == "agent_completed", after.end
    assert provider.fake is not None
    said = [message["content"] for message in provider.fake.requests[-1]["messages"]]
    # What a provider held its answer back for is not judged again with every later question.
    held_back = empty[0] != {"content": " "}
    assert said == ["Hello", "heard 1", *([] if held_back else ["Bad"]), "And now?"]


@pytest.mark.parametrize("works", [False, True], ids=["at once", "after a tool"])
@pytest.mark.parametrize("saver", ["Netra's", "its own"])
async def test_what_a_provider_refused_with_an_error_is_not_sent_again(
    runs: Runs, provider: Provider, tmp_path: Any, saver: str, works: bool
) -> None:
    """Whatever ran before the model was asked, and wherever the checkpoints are."""

    def answer(request: dict[str, Any]) -> Any:
        messages = request["messages"]
        if works and messages[-1]["role"] != "tool":
            return [*tool_call("again", '{"n": 1}'), {"last_of_calls": True}, USAGE]
        return (400, {}, {"code": "content_filter"})

    async def prepare(state: MessagesState) -> dict[str, Any]:
        return {"messages": []}

    provider.answers["Bad"] = answer
    builder = chat_graph(provider.model(), [again])
    for node, following in (("first", "second"), ("second", "answer")):
        builder.add_node(node, prepare)
        builder.add_edge(node, following)
    builder.edges.discard((START, "answer"))
    builder.add_edge(START, "first")
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "db")) as own:
        graph = builder if saver == "Netra's" else builder.compile(checkpointer=own)
        name, thread = registered(graph), new_thread()
        await runs.ask(name, "Hello", thread)
        refused = await runs.ask(name, "Bad", thread)
        after = await runs.ask(name, "And now?", thread)
    assert refused.end["code"] == "refused"
    assert after.types[-1] == "agent_completed", after.end
    assert provider.fake is not None
    said = [message["content"] for message in provider.fake.requests[-1]["messages"] if message["role"] == "user"]
    note = ["[A message that the model declined.]"] if works else []
    assert said == ["Hello", *note, "And now?"]


async def test_a_model_that_has_worked_may_end_without_words(runs: Runs, provider: Provider) -> None:
    def answer(request: dict[str, Any]) -> Any:
        if len(request["messages"]) > 1:
            return [{"content": ""}, {}, USAGE]
        return [*tool_call("again", '{"n": 1}'), {"last_of_calls": True}, USAGE]

    provider.answers["Go"] = answer
    name, thread = registered(create_agent(provider.model(), [again])), new_thread()
    run = await runs.ask(name, "Go", thread)
    assert (run.types[-1], run.end["result"]) == ("agent_completed", "")
    assert (await runs.ask(name, "And now?", thread)).types[-1] == "agent_completed"


@tool
async def again(n: int) -> str:
    """Ask again."""
    return "go on"


@pytest.mark.parametrize(
    "limit",
    [
        {"config": {"recursion_limit": 6}},
        {"middleware": [ModelCallLimitMiddleware(run_limit=2, exit_behavior="error")]},
    ],
)
async def test_a_limit_of_the_graph_is_told_as_one(runs: Runs, provider: Provider, limit: dict[str, Any]) -> None:
    provider.answers["Go"] = lambda request: [
        *tool_call("again", '{"n": 1}', call_id=f"call_{len(request['messages'])}"),
        {"last_of_calls": True},
        USAGE,
    ]
    graph = create_agent(provider.model(), [again], middleware=limit.get("middleware", ()))
    run = await runs.ask(registered(graph, config=limit.get("config")), "Go")
    assert (run.types[-1], run.end["code"]) == ("agent_failed", "usage_limit")
    assert len(run.end["usage"]) >= 2
    assert all(used == ENTRY for used in run.end["usage"])


async def test_a_stopped_run_tells_what_it_has_used(runs: Runs, provider: Provider) -> None:
    def answer(request: dict[str, Any]) -> Any:
        if len(request["messages"]) > 1:
            return [{"content": "never "}, 30.0]
        return [*tool_call("again", '{"n": 1}'), {"last_of_calls": True}, USAGE]

    provider.answers["Go"] = answer
    run_id = await runs.start(registered(create_agent(provider.model(), [again])), "Go")
    await runs.sees(run_id, lambda run: "never" in run.answer)
    await runs.stop(run_id)
    run = await runs.over(run_id)
    assert run.types[-1] == "agent_cancelled"
    assert run.end["usage"] == [ENTRY]
    assert provider.fake is not None
    assert provider.fake.gone.is_set()


async def test_text_before_a_filter_stays_and_the_run_completes(runs: Runs, provider: Provider) -> None:
    provider.answers["Go"] = [{"content": "It is "}, {"finish": "content_filter"}]
    run = await runs.ask(registered(chat_graph(provider.model())), "Go")
    assert (run.types[-1], run.end["finish_reason"], run.answer) == ("agent_completed", "content_filter", "It is ")


async def test_a_call_that_was_cut_off_does_not_run(runs: Runs, provider: Provider) -> None:
    written: list[str] = []

    @tool
    async def write_file(content: str) -> str:
        """Write."""
        written.append(content)
        return "written"

    provider.answers["Go"] = [*tool_call("write_file", '{"content": "half of wha'), {"finish": "length"}, USAGE]
    name, thread = registered(create_agent(provider.model(), [write_file])), new_thread()
    run = await runs.ask(name, "Go", thread)
    assert written == []
    assert run.end["message"].startswith("The model's answer reached its length limit")
    assert run.end["usage"] == [ENTRY]
    assert (await runs.ask(name, "And now?", thread)).types[-1] == "agent_completed"


@pytest.mark.parametrize(
    ("end", "code"),
    [([{"finish": "content_filter"}], "refused"), ([], "agent_error"), ([{"finish": "tool_calls"}], "agent_error")],
    ids=["filtered", "without an end", "as if it were whole"],
)
async def test_a_half_call_does_not_run_whatever_the_provider_calls_it(
    runs: Runs, provider: Provider, end: list[Any], code: str
) -> None:
    written: list[str] = []

    @tool
    async def write_file(content: str) -> str:
        """Write."""
        written.append(content)
        return "written"

    whole = tool_call("write_file", '{"content": "whole"}', call_id="call_0")
    provider.answers["Go"] = [*whole, *tool_call("write_file", '{"content": "half of wha', index=1), *end]
    name, thread = registered(create_agent(provider.model(), [write_file])), new_thread()
    run = await runs.ask(name, "Go", thread)
    assert written == []
    assert (run.types[-1], run.end["code"]) == ("agent_failed", code)
    assert (await runs.ask(name, "And now?", thread)).types[-1] == "agent_completed"


@pytest.mark.parametrize("question", ["", "x" * 2000], ids=["empty", "too long"])
async def test_a_question_that_the_provider_rejects_does_not_stay(
    runs: Runs, provider: Provider, tmp_path: Any, question: str
) -> None:
    provider.answers[question] = (400, {}, {"code": "invalid_request"})
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "db")) as own:
        name, thread = registered(chat_graph(provider.model()).compile(checkpointer=own)), new_thread()
        await runs.ask(name, "Hello", thread)
        assert (await runs.ask(name, {"message": question}, thread)).end["code"] == "agent_error"
        await runs.ask(name, "And now?", thread)
    assert provider.fake is not None
    said = [message["content"] for message in provider.fake.requests[-1]["messages"]]
    assert said == ["Hello", "heard 1", "And now?"]

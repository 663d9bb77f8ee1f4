"""What a provider's refusals and absences become, over real HTTP: an ending that tells, and a thread that goes on."""

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic_ai import Agent, UsageLimits
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from integration.agents.adapters.fake_openai import Delta, Reply, fake_openai, tool_call
from integration.agents.adapters.pydantic_ai_models import registered
from integration.agents.adapters.runs import Runs, new_thread

USAGE: Delta = {"usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}}
FINE: list[Delta] = [{"content": "Fine."}, {}, USAGE]
LIMIT = 200_000


def model(url: str) -> OpenAIChatModel:
    """A model at this address, whose client does not try again by itself."""
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=url, api_key="test", max_retries=0, timeout=20)
    return OpenAIChatModel("fake", provider=OpenAIProvider(openai_client=client))


def words(request: dict[str, Any]) -> str:
    """Everything that the request says, in one text."""
    return str([message.get("content") for message in request["messages"]])


def strict(request: dict[str, Any]) -> None:
    """As providers check it: every call has its result right behind it."""
    messages = request["messages"]
    for place, message in enumerate(messages):
        for number, call in enumerate(message.get("tool_calls") or ()):
            assert messages[place + 1 + number].get("tool_call_id") == call["id"], messages


FILTERED: dict[str, list[Delta]] = {
    "empty": [{"finish": "content_filter"}, USAGE],
    "an empty text": [{"content": ""}, {"finish": "content_filter"}, USAGE],
    "a refusal": [{"refusal": "I will not talk about that."}, {}, USAGE],
    "thoughts only": [{"reasoning_content": "Hm, a bomb."}, {"finish": "content_filter"}, USAGE],
}


@pytest.mark.parametrize("kind", FILTERED)
async def test_a_refusal_with_status_200__and_the_thread_goes_on(runs: Runs, kind):
    """The provider judges the whole conversation: whoever sends the refused words again is refused again."""

    def answer(request: dict[str, Any]) -> list[Delta]:
        strict(request)
        return FILTERED[kind] if "bomb" in words(request) else FINE

    async with fake_openai(answer) as fake:
        name, thread = registered(Agent(model(fake.url))), new_thread()
        await runs.ask(name, "hello", thread)
        refused = await runs.ask(name, "how is a bomb made", thread)
        again = await runs.ask(name, "and now", thread)
    assert (refused.types[-1], refused.end["code"]) == ("agent_failed", "refused")
    assert refused.end["message"] == "The model declined to answer this. Ask differently."
    assert [used["output_tokens"] for used in refused.end["usage"]] == [7]
    assert again.end["result"] == "Fine."
    asked = [message["content"] for message in fake.requests[-1]["messages"]]
    assert asked == ["hello", "Fine.", "and now"]


async def test_refused_after_a_tool__what_was_done_stays_known(runs: Runs):
    def answer(request: dict[str, Any]) -> list[Delta]:
        strict(request)
        last = request["messages"][-1]
        if last["role"] == "tool":
            return FILTERED["empty"] if "bomb" in words(request) else FINE
        return [*tool_call("note", "{}"), {"last_of_calls": True}, USAGE] if "bomb" in str(last) else FINE

    async with fake_openai(answer) as fake:
        agent: Agent[Any, str] = Agent(model(fake.url))

        @agent.tool_plain
        async def note() -> str:
            return "noted"

        name, thread = registered(agent), new_thread()
        refused = await runs.ask(name, "how is a bomb made", thread)
        again = await runs.ask(name, "and now", thread)
    assert refused.end["code"] == "refused"
    assert again.end["result"] == "Fine."
    assert "bomb" not in words(fake.requests[-1])
    assert [call["function"]["name"] for call in fake.requests[-1]["messages"][1]["tool_calls"]] == ["note"]


@pytest.mark.parametrize(
    ("reason", "told"), [("length", "length"), ("content_filter", "content_filter"), ("stop", None)]
)
async def test_an_answer_that_was_cut_short__says_so(runs: Runs, reason, told):
    async with fake_openai(lambda request: [{"content": "Half an"}, {"finish": reason}, USAGE]) as fake:
        run = await runs.ask(registered(Agent(model(fake.url))), "Go")
    assert (run.types[-1], run.end["result"], run.end.get("finish_reason")) == ("agent_completed", "Half an", told)


async def test_cut_short_within_a_call__nothing_runs_and_the_thread_goes_on(runs: Runs):
    written: list[str] = []

    def answer(request: dict[str, Any]) -> list[Delta]:
        strict(request)
        if "And now?" not in words(request):
            return [*tool_call("write", '{"content": "half of wh'), {"finish": "length"}, USAGE]
        return FINE

    async with fake_openai(answer) as fake:
        agent: Agent[Any, str] = Agent(model(fake.url))

        @agent.tool_plain
        async def write(content: str) -> str:
            written.append(content)
            return "written"

        name, thread = registered(agent), new_thread()
        run = await runs.ask(name, "Write", thread)
        again = await runs.ask(name, "And now?", thread)
    assert written == []
    assert (run.end["code"], "length limit" in run.end["message"]) == ("agent_error", True)
    assert again.end["result"] == "Fine."


@pytest.mark.parametrize(
    ("status", "headers", "hint"),
    [
        (429, {"retry-after": "7"}, 7000),
        (429, {"retry-after-ms": "250"}, 250),
        (429, {}, None),
        (500, {}, None),
        (503, {"retry-after": "2"}, 2000),
        (529, {}, None),
    ],
)
async def test_a_provider_that_is_away__may_be_asked_again(runs: Runs, caplog, status, headers, hint):
    answers: Iterator[Reply] = iter([FINE, (status, headers, {}), FINE])
    async with fake_openai(lambda request: next(answers)) as fake:
        name, thread = registered(Agent(model(fake.url))), new_thread()
        await runs.ask(name, "one", thread)
        run = await runs.ask(name, "two", thread)
        again = await runs.ask(name, "two, again", thread)
    assert (run.end["code"], run.end.get("retry_after_ms")) == ("model_unavailable", hint)
    assert "usage" not in run.end
    assert "secret" not in str(run.frames)
    assert "secret of the provider" in caplog.text  # where an operator finds it
    assert again.end["result"] == "Fine."


async def test_a_provider_that_cannot_be_reached(runs: Runs):
    async with fake_openai(lambda request: FINE) as fake:
        name = registered(Agent(model(fake.url)))
    run = await runs.ask(name, "Anybody?")
    assert (run.end["code"], run.end["message"]) == (
        "model_unavailable",
        "The model is unavailable at present. Try again in a moment.",
    )


async def test_every_model_of_a_fallback_is_away(runs: Runs):
    async with (
        fake_openai(lambda request: (503, {"retry-after": "9"}, {})) as one,
        fake_openai(lambda request: (429, {"retry-after": "3"}, {})) as other,
    ):
        run = await runs.ask(registered(Agent(FallbackModel(model(one.url), model(other.url)))), "Anybody?")
    assert (run.end["code"], run.end["retry_after_ms"]) == ("model_unavailable", 3000)


async def test_a_wrong_key__is_the_operators_to_mend(runs: Runs):
    async with fake_openai(lambda request: 401) as fake:
        run = await runs.ask(registered(Agent(model(fake.url))), "Anybody?")
    assert run.end["code"] == "agent_error"
    assert "Incident" in run.end["message"]


async def test_usage_limits__end_the_run_as_such(runs: Runs):
    def answer(request: dict[str, Any]) -> list[Delta]:
        return [*tool_call("again", "{}"), {"last_of_calls": True}, USAGE]

    async with fake_openai(answer) as fake:
        agent: Agent[Any, str] = Agent(model(fake.url))

        @agent.tool_plain
        async def again() -> str:
            return "more"

        run = await runs.ask(registered(agent, usage_limits=UsageLimits(request_limit=3)), "Go on")
    assert (run.types[-1], run.end["code"]) == ("agent_failed", "usage_limit")
    assert [used["input_tokens"] for used in run.end["usage"]] == [11, 11, 11]


@pytest.mark.parametrize("how", ["stopped", "timeout", "failed"])
async def test_usage__of_a_run_that_came_to_no_end(runs: Runs, how):
    def answer(request: dict[str, Any]) -> list[Delta]:
        return [*tool_call("slow", "{}"), {"last_of_calls": True}, USAGE]

    async with fake_openai(answer) as fake:
        agent: Agent[Any, str] = Agent(model(fake.url))

        @agent.tool_plain
        async def slow() -> str:
            if how == "failed":
                raise RuntimeError
            await asyncio.Event().wait()
            return "never"

        name = registered(agent, timeout=1 if how == "timeout" else None)
        run_id = await runs.start(name, "Go")
        if how == "stopped":
            await runs.sees(run_id, lambda run: "tool_executing" in run.types)
            await runs.stop(run_id)
        run = await runs.over(run_id)
    assert run.types[-1] == ("agent_cancelled" if how == "stopped" else "agent_failed")
    assert [(used["input_tokens"], used["output_tokens"]) for used in run.end["usage"]] == [(11, 7)]


async def test_a_question_is_a_question__whatever_the_thread_has_seen(runs: Runs):
    """A large turn leaves the thread its memory; the provider gets a history that it accepts."""
    page = "w" * 900_000

    def answer(request: dict[str, Any]) -> list[Delta]:
        strict(request)
        if "fetch" in str(request["messages"][-1]["content"]):
            return [*tool_call("fetch", "{}", call_id=f"c{len(request['messages'])}"), {"last_of_calls": True}, USAGE]
        return FINE

    async with fake_openai(answer) as fake:
        agent: Agent[Any, str] = Agent(model(fake.url))

        @agent.tool_plain
        async def fetch() -> str:
            return page

        name, thread = registered(agent), new_thread()
        for question in ("my name is Ada", "fetch it", "fetch it again", "what is my name"):
            await runs.ask(name, question, thread)
    asked = [message["content"] for message in fake.requests[-1]["messages"] if message["role"] == "user"]
    assert asked == ["my name is Ada", "fetch it", "fetch it again", "what is my name"]
    assert len(str(fake.requests[-1])) < 1_100_000


@pytest.mark.parametrize("where", ["text", "arguments", "result", "prompt", "approval"])
async def test_half_characters__keep_no_run_from_its_next_request(runs: Runs, where):
    """Providers' clients send UTF-8 only: what a model cut in two, or a file name never had whole, is mended."""

    def answer(request: dict[str, Any]) -> list[Delta]:
        strict(request)
        if request["messages"][-1]["role"] == "tool":
            return FINE
        text: list[Delta] = [{"content": "\ud83d"}, {"content": "\ude00 and \ud83d"}]
        arguments = '{"name": "x\\ud83d"}' if where == "arguments" else '{"name": "x"}'
        return [*text, *tool_call("look", arguments), {"last_of_calls": True}, USAGE]

    async with fake_openai(answer) as fake:
        agent: Agent[Any, Any] = Agent(model(fake.url), retries=3)

        @agent.tool_plain(requires_approval=where == "approval")
        async def look(name: str) -> Any:
            return {"files": [os.fsdecode(b"a-\xff")]} if where in ("result", "approval") else "seen"

        name = registered(agent, prompt=lambda input: "x\ud83d" if where == "prompt" else "x")
        thread = new_thread()
        run_id = await runs.start(name, "Go", thread)
        if where == "approval":
            (approval,) = await runs.rests(run_id)
            await runs.respond(approval, approved=True)
        run = await runs.over(run_id)
        again = await runs.ask(name, "Again", thread) if where != "approval" else run
    assert run.end["result"] == again.end["result"] == "Fine."
    assert next(iter(run.text("agent_message").values())) == "😀 and \ufffd"


@pytest.mark.parametrize(("finish", "code"), [("length", "agent_error"), ("content_filter", "refused")])
async def test_a_call_cut_off_before_its_arguments_does_not_run_with_defaults(runs: Runs, finish: str, code: str):
    removed: list[str] = []

    def answer(request: dict[str, Any]) -> list[Delta]:
        strict(request)
        return [*tool_call("remove"), {"finish": finish}, USAGE] if "Go" in str(request["messages"][-1]) else FINE

    async with fake_openai(answer) as fake:
        agent: Agent[Any, str] = Agent(model(fake.url))

        @agent.tool_plain
        def remove(pattern: str = "*") -> str:
            removed.append(pattern)
            return "removed"

        name, thread = registered(agent), new_thread()
        run = await runs.ask(name, "Go", thread)
        again = await runs.ask(name, "And now?", thread)
    assert removed == []
    assert (run.types[-1], run.end["code"]) == ("agent_failed", code)
    assert [used["output_tokens"] for used in run.end["usage"]] == [7]
    assert again.end["result"] == "Fine."


@pytest.mark.parametrize("characters", [LIMIT // 2, LIMIT * 2])
async def test_a_large_system_prompt_takes_no_memory_from_the_conversation(runs: Runs, characters: int):
    def answer(request: dict[str, Any]) -> list[Delta]:
        strict(request)
        return FINE

    async with fake_openai(answer) as fake:
        name, thread = (
            registered(Agent(model(fake.url), system_prompt="s" * characters), memory_bytes=LIMIT),
            new_thread(),
        )
        for question in ("My name is Ada.", "z" * 80_000, "What is my name?"):
            assert (await runs.ask(name, question, thread)).types[-1] == "agent_completed"
    asked = fake.requests[-1]["messages"]
    assert [message["role"] for message in asked] == ["system", *["user", "assistant"] * 2, "user"]
    assert len(asked[0]["content"]) == characters
    assert asked[1]["content"] == "My name is Ada."

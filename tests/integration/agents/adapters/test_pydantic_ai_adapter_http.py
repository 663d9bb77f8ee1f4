"""A Pydantic AI agent whose model is behind HTTP: real chunks over a real socket, through Netra's own socket."""

import asyncio
from typing import Any

import pytest
from pydantic_ai import Agent

from integration.agents.adapters.fake_openai import Delta, fake_openai, tool_call
from integration.agents.adapters.pydantic_ai_models import registered
from integration.agents.adapters.runs import Runs, new_thread
from netra.project.asgi import application
from websocket_core.auth.tokens import issue
from websocket_core.database import db
from websocket_core.testing.sockets import connect

USAGE: Delta = {"usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}}


@pytest.fixture
def model(monkeypatch):
    """The name of a model at a base URL, the way a deployment says it."""

    def at(url: str) -> str:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        monkeypatch.setenv("OPENAI_API_KEY", "test")
        return "openai-chat:fake"

    return at


def weather(model: str) -> Agent[Any, str]:
    """An agent with one tool."""
    agent: Agent[Any, str] = Agent(model)

    @agent.tool_plain
    async def forecast(city: str) -> str:
        return f"rain in {city}"

    return agent


def answer(request: dict[str, Any]) -> list[Delta]:
    """Reasons, calls the tool, then answers."""
    if request["messages"][-1]["role"] == "tool":
        said = request["messages"][-1]["content"]
        return [{"content": "It "}, {"content": "says: "}, {"content": said}, {}, USAGE]
    thoughts: list[Delta] = [{"reasoning_content": "Let me "}, {"reasoning_content": "look."}]
    return [*thoughts, *tool_call("forecast", '{"ci', 'ty": "Oslo"}'), {"last_of_calls": True}, USAGE]


async def test_chunks_become_events_at_the_client(runs: Runs, model):
    async with fake_openai(answer) as fake:
        name = registered(weather(model(fake.url)))
        token, _ = await db.writer.call(issue, "ada")
        async with connect(application, token) as client:
            started = await client.start(name, input={"message": "Oslo?"})
            events = await client.finish(started)
    types = [event["event_type"] for event in events]
    assert types[0] == "agent_started"
    assert types[-1] == "agent_completed"
    thoughts = "".join(event["data"]["delta"] for event in events if event["event_type"] == "agent_thinking")
    said = "".join(event["data"]["delta"] for event in events if event["event_type"] == "agent_message")
    assert thoughts == "Let me look."
    assert said == "It says: rain in Oslo" == events[-1]["data"]["result"]
    assert [used["input_tokens"] for used in events[-1]["data"]["usage"]] == [11, 11]
    (executing,) = [event for event in events if event["event_type"] == "tool_executing"]
    assert executing["data"]["tool_call_id"] == "call_1"
    assert executing["data"]["arguments"] == {"city": "Oslo"}


async def test_stopped_the_connection_to_the_model_is_closed(runs: Runs, model):
    async with fake_openai(lambda request: [{"content": "It "}, 60.0, {"content": "never"}, {}]) as fake:
        run_id = await runs.start(registered(weather(model(fake.url))), "Go")
        await runs.sees(run_id, lambda run: run.answer == "It ")
        await runs.stop(run_id)
        run = await runs.over(run_id)
        await asyncio.wait_for(fake.gone.wait(), 10)
    assert run.types[-1] == "agent_cancelled"


@pytest.mark.parametrize("problem", [400, ConnectionError()])
async def test_a_refusing_or_breaking_provider_fails_one_run_only(runs: Runs, model, problem):
    """What the provider said is for the log; and what it refused is not sent to it again in the next run."""

    def fails_once(request: dict[str, Any]) -> list[Delta] | int:
        if request["messages"][-1]["content"] == "Bad":
            return problem if isinstance(problem, int) else [{"content": "Half "}, problem]
        return [{"content": "Fine."}, {}, USAGE]

    async with fake_openai(fails_once) as fake:
        name, thread = registered(weather(model(fake.url))), new_thread()
        await runs.ask(name, "Good", thread)
        failed = await runs.ask(name, "Bad", thread)
        again = await runs.ask(name, "Good again", thread)
    assert failed.types[-1] == "agent_failed"
    assert "secret" not in str(failed.frames)
    assert again.end["result"] == "Fine."
    asked = [message["content"] for message in fake.requests[-1]["messages"] if message["role"] == "user"]
    assert asked[0] == "Good"
    assert asked[-1] == "Good again"
    assert ("Bad" in asked) == (problem != 400)


async def test_stopped_in_a_tool_the_provider_gets_a_history_it_accepts(runs: Runs, model):
    """Providers refuse a call without a result: every call in the next request has one."""

    def answers(request: dict[str, Any]) -> list[Delta]:
        if request["messages"][-1].get("content") == "First":
            return [{"content": "Trying."}, *tool_call("slow", "{}"), {"last_of_calls": True}, USAGE]
        return [{"content": "Fine."}, {}, USAGE]

    async with fake_openai(answers) as fake:
        agent: Agent[Any, str] = Agent(model(fake.url))

        @agent.tool_plain
        async def slow() -> str:
            await asyncio.sleep(60)
            return "never"

        name, thread = registered(agent), new_thread()
        run_id = await runs.start(name, "First", thread)
        await runs.sees(run_id, lambda run: "tool_executing" in run.types)
        await runs.stop(run_id)
        await runs.over(run_id)
        again = await runs.ask(name, "Second", thread)
    assert again.end["result"] == "Fine."
    messages = fake.requests[-1]["messages"]
    calls = {call["id"] for message in messages for call in message.get("tool_calls") or ()}
    results = [message["tool_call_id"] for message in messages if message["role"] == "tool"]
    assert calls == {"call_1"}
    assert results == ["call_1"]

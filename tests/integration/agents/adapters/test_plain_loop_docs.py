"""The loop in the documentation does what it says."""

import re
from pathlib import Path
from typing import Any

import pytest

from integration.agents.adapters.fake_openai import Delta, fake_openai, tool_call
from integration.agents.adapters.runs import Runs, new_thread
from netra.agents.base import make_agent
from netra.agents.registry import names as agent_names
from netra.agents.registry import registered as registry
from websocket_core.errors import InvalidAction

PAGE = Path(__file__).resolve().parents[4] / "docs" / "howto" / "plain-openai-loop.md"
USAGE: Delta = {"usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}}


@pytest.fixture
def documented(monkeypatch):
    """The page's code, run as it stands."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    registry.discover()
    before = dict(agent_names.classes)
    exec(compile(code, str(PAGE), "exec"), {"__name__": "documented"})  # noqa: S102 - the project's own page
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    yield monkeypatch
    agent_names.classes.clear()
    agent_names.classes.update(before)


async def test_the_documented_loop(runs: Runs, documented):
    def answer(request: dict[str, Any]) -> list[Delta]:
        last = request["messages"][-1]
        if last["role"] == "tool":
            return [{"content": "It says: "}, {"content": last["content"]}, {}, USAGE]
        return [*tool_call("forecast", '{"ci', 'ty": "Oslo"}'), {"last_of_calls": True}, USAGE]

    thread = new_thread()
    async with fake_openai(answer) as fake:
        documented.setenv("OPENAI_BASE_URL", fake.url)
        run = await runs.ask("plain", "Oslo?", thread)
        again = await runs.ask("plain", "And now?", thread)
    assert run.answer == run.end["result"] == again.end["result"] == "It says: rain in Oslo"
    assert run.end["usage"] == [{"model": "fake", "input_tokens": 11, "output_tokens": 7}] * 2
    assert run.tools() == [("forecast", "ok")]
    said = [message["content"] for message in fake.requests[-1]["messages"] if message["role"] != "tool"]
    assert said[:3] == ["Oslo?", "It says: rain in Oslo", "And now?"]


async def test_other_agents_in_the_thread(runs: Runs, documented):
    """Their inputs and results are of their own; the loop's own runs that failed have no answer."""

    async def other(ctx: Any, input: Any) -> Any:
        return {"rows": [1]}

    registry.register(make_agent(other, name="other"))
    answers: list[Any] = [[{"content": "One."}, {}], 500, 500, 500, [{"content": ""}, {}], [{"content": "Three."}, {}]]
    thread = new_thread()
    async with fake_openai(lambda request: answers.pop(0)) as fake:
        documented.setenv("OPENAI_BASE_URL", fake.url)
        await runs.ask("plain", "one", thread)
        await runs.ask("other", {"q": 1}, thread)
        await runs.ask("other", "words", thread)
        away = await runs.ask("plain", "two", thread)
        await runs.ask("plain", "empty", thread)
        last = await runs.ask("plain", "three", thread)
    assert away.end["code"] == "model_unavailable"
    assert last.end["result"] == "Three."
    assert [message["content"] for message in fake.requests[-1]["messages"]] == ["one", "One.", "three"]
    with pytest.raises(InvalidAction):
        await runs.start("plain", {"q": 1}, thread)


@pytest.mark.parametrize(
    ("name", "arguments", "heard"),
    [
        ("forecast", "", "The arguments do not fit forecast."),
        ("forecast", '{"city": "Os', "The arguments do not fit forecast."),
        ("forecast", "[1]", "The arguments do not fit forecast."),
        ("forecast", '{"town": "Oslo"}', "The arguments do not fit forecast."),
        ("delete", '{"city": "Oslo"}', "There is no tool delete."),
    ],
)
async def test_a_call_that_cannot_be_made__the_model_hears_why(runs: Runs, documented, name, arguments, heard):
    def answer(request: dict[str, Any]) -> list[Delta]:
        last = request["messages"][-1]
        if last["role"] == "tool":
            return [{"content": last["content"]}, {}]
        return [*tool_call(name, arguments), {"last_of_calls": True}]

    async with fake_openai(answer) as fake:
        documented.setenv("OPENAI_BASE_URL", fake.url)
        run = await runs.ask("plain", "Go")
    assert (run.types[-1], run.end.get("result")) == ("agent_completed", heard)
    assert run.tools() == [(name, "error")]
    assert run.data("tool_completed")[0]["error"] == heard


async def test_call_ids_that_come_again(runs: Runs, documented):
    def answer(request: dict[str, Any]) -> list[Delta]:
        if sum(message["role"] == "tool" for message in request["messages"]) > 3:
            return [{"content": "Enough."}, {}]
        first, second = (tool_call("forecast", '{"city": "Oslo"}', call_id="call_0", index=index) for index in (0, 1))
        return [*first, *second, {"last_of_calls": True}]

    async with fake_openai(answer) as fake:
        documented.setenv("OPENAI_BASE_URL", fake.url)
        run = await runs.ask("plain", "Go")
    assert run.end["result"] == "Enough."
    ids = [data["tool_call_id"] for data in run.data("tool_completed")]
    assert ids == ["call_0", "call_0~2", "call_0~3", "call_0~4"]


@pytest.mark.parametrize(
    ("deltas", "kind", "end"),
    [
        ([{"refusal": "I will not."}, {}], "agent_failed", {"code": "refused"}),
        ([{"finish": "content_filter"}], "agent_failed", {"code": "refused"}),
        ([{"content": "Half"}, {"finish": "content_filter"}], "agent_completed", {"finish_reason": "content_filter"}),
        ([{"content": "Half"}, {"finish": "length"}], "agent_completed", {"finish_reason": "length", "result": "Half"}),
        (
            [{"content": "I "}, *tool_call("forecast", '{"city": "Os'), {"finish": "length"}],
            "agent_completed",
            {"finish_reason": "length", "result": "I "},
        ),
        ([{"content": "\ud83d"}, {"content": "\ude00"}, {}], "agent_completed", {"result": "😀"}),
        ((429, {"retry-after": "7", "x-should-retry": "false"}, {}), "agent_failed", {"retry_after_ms": 7000}),
    ],
    ids=["refusal", "filter", "filter in the middle", "length", "length in a call", "half characters", "rate limit"],
)
async def test_how_the_model_ends(runs: Runs, documented, deltas, kind, end):
    async with fake_openai(lambda request: deltas) as fake:
        documented.setenv("OPENAI_BASE_URL", fake.url)
        run = await runs.ask("plain", "Go")
    assert run.types[-1] == kind
    assert {key: run.end.get(key) for key in end} == end
    assert run.tools() == []
    assert "secret" not in str(run.frames)

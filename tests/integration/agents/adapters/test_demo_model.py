"""The demo with a model: the same tools, called by it."""

import json
import logging
from typing import Any

import pytest

from integration.agents.adapters.fake_openai import Delta, fake_openai, tool_call
from integration.agents.adapters.runs import Runs, new_thread
from netra.agents.builtin.demo import agent as demo
from netra.agents.builtin.demo import model_agent
from netra.agents.builtin.demo.course import NO_LINKS
from netra.agents.builtin.demo.request import MAX_CHARACTERS
from netra.agents.builtin.demo.sample import SAMPLE
from netra.agents.registry import names as agent_names
from netra.agents.registry import registered as registry


@pytest.fixture
def restored():
    """The demo as it was, after a test that registered another one."""
    before = dict(agent_names.classes)
    yield
    agent_names.classes.clear()
    agent_names.classes.update(before)


@pytest.fixture
def with_model(monkeypatch, settings, restored):
    """The demo registered with a model at a URL, the way a deployment says it."""

    def at(url: str) -> None:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        monkeypatch.setenv("OPENAI_API_KEY", "test")
        settings.NETRA_MODEL = "openai-chat:fake"
        registry.discover()
        agent_names.classes.pop("demo")
        demo.register_demo()

    return at


def calling(*calls: tuple[str, dict[str, Any]]) -> Any:
    """A model that calls these tools at once, then says "Done."."""

    def answer(request: dict[str, Any]) -> list[Delta]:
        if request["messages"][-1]["role"] == "tool":
            return [{"content": "Done."}, {}]
        deltas: list[Delta] = []
        for index, (name, arguments) in enumerate(calls):
            deltas += tool_call(name, json.dumps(arguments), call_id=f"call_{index}", index=index)
        return [*deltas, {"last_of_calls": True}]

    return answer


async def test_the_model_computes_with_the_demos_tools(runs: Runs, with_model):
    column = {"column": "visitors"}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("find_columns", {}),
        ("count_words", {}),
        ("frequent_words", {}),
        ("statistics", column),
        ("outliers", column),
        ("histogram", column),
        ("read_notes", {}),
        ("open_link", {"url": "https://example.com"}),
        ("statistics", {"column": "nothing"}),
    ]
    async with fake_openai(calling(*calls)) as fake:
        with_model(fake.url)
        run = await runs.ask("demo", f"Look at this:\n{SAMPLE}")
    assert run.end["result"] == "Done."
    done = {data["tool_call_id"]: data for data in run.data("tool_completed")}
    assert done["call_0"]["result"]["rows"] == 12
    assert done["call_3"]["result"]["max"] == 2210
    assert done["call_4"]["result"]["rows"][0]["row"] == 9
    assert "█" in done["call_5"]["result"]
    assert done["call_7"]["error"] == NO_LINKS
    assert done["call_8"]["error"].endswith("There are: visitors, temperature, satisfaction.")
    assert [data["status"] for data in done.values()].count("ok") == 7


async def test_notes_need_an_approval_and_are_found_later(runs: Runs, with_model):
    thread = new_thread()
    async with fake_openai(calling(("write_notes", {"text": "Kyoto is odd."}))) as fake:
        with_model(fake.url)
        run_id = await runs.start("demo", "Note what you found, please", thread)
        (approval,) = await runs.rests(run_id)
        assert approval.tool_name == "write_notes"
        await runs.respond(approval, approved=True)
        await runs.over(run_id)
        fake.answer = calling(("read_notes", {}))
        run = await runs.ask("demo", "What did you note?", thread)
    assert run.data("tool_completed")[0]["result"] == "Kyoto is odd."


async def test_a_long_text_is_cut_for_the_model_and_said_so(runs: Runs, with_model):
    text = "word " * (MAX_CHARACTERS // 5 - 1) + "\nend"
    prompt = model_agent._prompt({"message": text})
    assert len(prompt) < model_agent.PROMPT_CHARACTERS + 100
    assert "the tools see all" in prompt


def test_without_the_library_the_demo_follows_its_script(settings, restored, monkeypatch, caplog):
    def missing(name: str) -> Any:
        raise ImportError("no Pydantic AI; install it into this environment")

    registry.discover()
    agent_names.classes.pop("demo", None)
    settings.NETRA_MODEL = "openai-chat:fake"
    monkeypatch.setattr(demo, "import_module", missing)
    with caplog.at_level(logging.ERROR):
        demo.register_demo()
    assert registry.find("demo") is demo.ScriptedDemo
    assert "install it into this environment" in caplog.text

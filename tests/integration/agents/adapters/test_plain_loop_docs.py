"""The loop in the documentation does what it says."""

import re
from pathlib import Path
from typing import Any

import pytest

from agents import registry
from integration.agents.adapters.fake_openai import Delta, fake_openai, tool_call
from integration.agents.adapters.runs import Runs, new_thread

PAGE = Path(__file__).resolve().parents[4] / "docs" / "howto" / "plain-openai-loop.md"


@pytest.fixture
def documented():
    """The page's code, run as it stands."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    registry.discover()
    before = dict(registry._classes)
    exec(compile(code, str(PAGE), "exec"), {"__name__": "documented"})  # noqa: S102 - the project's own page
    yield
    registry._classes.clear()
    registry._classes.update(before)


async def test_the_documented_loop(runs: Runs, documented, monkeypatch):
    def answer(request: dict[str, Any]) -> list[Delta]:
        last = request["messages"][-1]
        if last["role"] == "tool":
            return [{"content": "It says: "}, {"content": last["content"]}, {}]
        return [*tool_call("forecast", '{"ci', 'ty": "Oslo"}'), {"last_of_calls": True}]

    thread = new_thread()
    async with fake_openai(answer) as fake:
        monkeypatch.setenv("OPENAI_BASE_URL", fake.url)
        monkeypatch.setenv("OPENAI_API_KEY", "test")
        run = await runs.ask("plain", "Oslo?", thread)
        again = await runs.ask("plain", "And now?", thread)
    assert run.answer == run.end["result"] == again.end["result"] == "It says: rain in Oslo"
    assert run.tools() == [("forecast", "ok")]
    said = [message["content"] for message in fake.requests[-1]["messages"] if message["role"] != "tool"]
    assert said[:3] == ["Oslo?", "It says: rain in Oslo", "And now?"]

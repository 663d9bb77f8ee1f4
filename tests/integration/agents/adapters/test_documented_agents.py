"""The agents in the documentation do what it says, word by word."""

import re
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.agents.adapters.fake_openai import Delta, fake_openai, tool_call
from integration.agents.adapters.langgraph_models import chat_graph, script
from integration.agents.adapters.runs import Runs, new_thread
from netra.agents import agent
from netra.agents.models import Approval
from netra.agents.registry import names as agent_names
from netra.agents.registry import registered as registry
from websocket_core.database import db

DOCS = Path(__file__).resolve().parents[4] / "docs"
Documented = Callable[..., dict[str, Any]]


@pytest.fixture
def documented(monkeypatch: pytest.MonkeyPatch) -> Iterator[Documented]:
    """Function that executes a page's piece of code, as it stands, and returns its names."""
    registry.discover()
    before = dict(agent_names.classes)

    def execute(page: str, containing: str, **names: Any) -> dict[str, Any]:
        pieces = re.findall(r"^( *)```python\n(.*?)^\1```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)
        (code,) = [textwrap.dedent(code) for _, code in pieces if containing in code]
        names["__name__"] = "tests.documented"
        exec(compile(code, page, "exec"), names)  # noqa: S102 - the project's own page
        return names

    yield execute
    agent_names.classes.clear()
    agent_names.classes.update(before)


async def refund(order: int) -> str:
    """What the pages call."""
    return f"refunded {order}"


async def test_your_first_agent(runs: Runs, documented: Documented) -> None:
    documented("tutorial/first-agent.md", '@agent("weather"')
    run = await runs.ask("weather", "Oslo")
    assert run.types[0] == "agent_started"
    assert run.thoughts == "Looking up Oslo. "
    assert run.tools() == [("forecast", "ok")]
    assert (run.answer, run.end["result"]) == ("It will rain.", {"rain": True})
    assert (await runs.ask("weather", "")).end["message"] == "Which city?"


async def test_a_plain_agent_that_waits_for_an_approval(runs: Runs, documented: Documented) -> None:
    page = (DOCS / "howto" / "approvals.md").read_text()
    (code,) = [code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "await ctx.approve(" in code][:1]
    names: dict[str, Any] = {"refund": refund}
    body = "async def waits(ctx, input):\n" + textwrap.indent(code, "    ") + "    return call.result\n"
    exec(compile(body, "approvals.md", "exec"), names)  # noqa: S102 - the project's own page
    agent("waits")(names["waits"])
    for approved in (True, False):
        run_id = await runs.start("waits", {})
        await runs.sees(run_id, lambda run: "approval_requested" in run.types)
        approval = await db.read(lambda run_id=run_id: Approval.objects.get(run__run_id=run_id))
        await runs.respond(approval, approved=approved)
        run = await runs.over(run_id)
        assert run.tools() == [("refund", "ok" if approved else "denied")]
        assert run.types[-1] == ("agent_completed" if approved else "agent_failed")


@pytest.mark.parametrize("approved", [True, False])
async def test_a_plain_agent_that_rests(runs: Runs, documented: Documented, approved: bool) -> None:
    documented("howto/approvals.md", "class Refunds(BaseAgent)", refund=refund)
    run_id = await runs.start("refunds", {})
    (approval,) = await runs.rests(run_id)
    await runs.respond(approval, approved=approved)
    run = await runs.over(run_id)
    assert run.tools() == [("refund", "ok" if approved else "denied")]
    assert run.end["result"] == {"refunded": approved}


async def test_a_pydantic_ai_agent(runs: Runs, documented: Documented, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(request: dict[str, Any]) -> list[Delta]:
        last = request["messages"][-1]
        if last["role"] == "tool":
            return [{"content": "It is "}, {"content": last["content"]}, {}]
        name = "refund" if "refund" in last["content"].lower() else "order_status"
        arguments = '{"number": "7"}' if name == "order_status" else '{"order": 7}'
        return [*tool_call(name, arguments), {"last_of_calls": True}]

    async with fake_openai(answer) as fake:
        monkeypatch.setenv("OPENAI_BASE_URL", fake.url)
        monkeypatch.setenv("OPENAI_API_KEY", "test")
        names = documented("howto/pydantic-ai.md", 'register_agent("support"')
        run = await runs.ask("support", "Where is order 7?")
        assert run.tools() == [("order_status", "ok")]
        assert run.answer == run.end["result"] == "It is on its way"

        page = (DOCS / "howto" / "approvals.md").read_text()
        (code,) = [code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "requires_approval" in code]
        exec(compile(code, "approvals.md", "exec"), names)  # noqa: S102 - the project's own page
        run_id = await runs.start("support", "Please refund order 7", new_thread())
        (approval,) = await runs.rests(run_id)
        await runs.respond(approval, approved=True)
        assert (await runs.over(run_id)).tools() == [("refund", "ok")]


async def test_a_langgraph_graph(runs: Runs, documented: Documented, monkeypatch: pytest.MonkeyPatch) -> None:
    graphs = types.ModuleType("myproject.graphs")
    graphs.builder = chat_graph(script(lambda messages: ["By ", "train."]))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "myproject", types.ModuleType("myproject"))
    monkeypatch.setitem(sys.modules, "myproject.graphs", graphs)
    documented("howto/langgraph.md", 'register_graph("planner"')
    run = await runs.ask("planner", "To Oslo")
    assert run.answer == run.end["result"] == "By train."

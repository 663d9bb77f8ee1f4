"""Agents at their worst, beside what `test_wire_grammar.py` has: still one start, one end, and no secret."""

import asyncio
import contextlib
import logging
import sys
import types
from typing import Any

import pytest

from netra.agents import AgentError
from netra.agents.registry import registered as registry
from test_framework.gateway import SECRET, kinds, outcome
from websocket_core.errors import RunOverError

pytestmark = pytest.mark.django_db(transaction=True)


class Explosive(dict[str, Any]):
    """Raises when it is looked at."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(a=1)
        self._error = error

    def items(self) -> Any:
        """Not today."""
        raise self._error


class Mute(AgentError):
    """Has no text, although it is one for people."""

    def __str__(self) -> str:
        raise RuntimeError(SECRET)


def endless() -> list[Any]:
    """A list that contains itself."""
    found: list[Any] = []
    found.append(found)
    return found


@pytest.mark.parametrize(
    "value",
    [endless(), float("1e400"), [float("-inf")], 10**5000, Explosive(RuntimeError(SECRET)), Explosive(SystemExit(1))],
    ids=["contains itself", "1e400", "-inf", "5000 digits", "raises", "exits"],
)
async def test_result_that_cannot_be_written(join, make, value):
    async def body(ctx, input):
        return value

    make(body)
    events, end = await outcome(join)
    assert kinds(events) == ["agent_started", "agent_failed"]
    assert end["code"] == "result_unserialisable"


@pytest.mark.parametrize("where", ["raised", "in a tool"])
@pytest.mark.parametrize("error", [GeneratorExit(SECRET), StopAsyncIteration(SECRET), Mute(), AgentError("\ud800")])
async def test_raises_something_odd(join, make, caplog, error, where):
    caplog.set_level(
        logging.CRITICAL, "netra.agents.execution.endings"
    )  # half a character in its log is too much for test reports

    async def body(ctx, input):
        async with ctx.tool("search") if where == "in a tool" else contextlib.nullcontext():
            raise error

    make(body)
    _, end = await outcome(join)
    assert (end["type"], end["code"]) == ("agent_failed", "agent_error")
    assert "Incident" in end["message"]


async def test_an_error_text_without_end_is_shortened(join, make):
    async def body(ctx, input):
        raise AgentError("no " * 1_000_000)

    make(body)
    _, end = await outcome(join)
    assert end["message"].startswith("no no no")
    assert len(end["message"]) < 5000


async def test_recursion_without_end(join, make):
    async def body(ctx, input):
        def deeper() -> Any:
            return deeper()

        await ctx.think("deeper")
        deeper()

    make(body)
    _, end = await outcome(join)
    assert end["code"] == "agent_error"


async def test_cancels_itself(join, make):
    async def body(ctx, input):
        async with ctx.tool("search"):
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)

    make(body)
    events, end = await outcome(join)
    assert kinds(events)[1:] == ["tool_executing", "tool_completed", "agent_failed"]
    assert end["code"] == "agent_error"


async def test_leaves_a_task_behind_that_goes_on_talking(join, make):
    outcomes: list[Any] = []
    said = asyncio.Event()

    async def body(ctx, input):
        async def chatter() -> None:
            for _ in range(4):
                await asyncio.sleep(0.05)
                for attempt in (ctx.think("late"), ctx.publish_state(1), ctx.tool("late").begin(), ctx.approve("?")):
                    outcomes.extend(await asyncio.gather(attempt, return_exceptions=True))
            said.set()

        input["task"] = asyncio.create_task(chatter())
        return "done"

    make(body)
    client = await join()
    events = await client.finish(await client.start("made"))
    assert kinds(events)[-1] == "agent_completed"
    await said.wait()
    assert [type(outcome) for outcome in outcomes] == [RunOverError] * 16
    assert await client.receive_nothing()


async def test_raises_after_it_has_returned(join, make, caplog):
    async def body(ctx, input):
        async def later() -> None:
            await asyncio.sleep(0.05)
            raise RuntimeError("after the end")

        input["task"] = asyncio.create_task(later())
        return "done"

    make(body)
    events, end = await outcome(join)
    assert (kinds(events), end["result"]) == (["agent_started", "agent_completed"], "done")
    await asyncio.sleep(0.1)
    assert not [task for task in asyncio.all_tasks() if "later" in repr(task)]


async def test_closes_the_executor_of_the_loop(join, make):
    async def body(ctx, input):
        await asyncio.get_running_loop().shutdown_default_executor()
        return await ctx.to_thread(lambda: "Netra's threads are its own")

    make(body)
    _, end = await outcome(join)
    assert end["result"] == "Netra's threads are its own"
    _, end = await outcome(join)  # the next run and the next connection need threads, too
    assert end["type"] == "agent_completed"


async def test_raises_at_import__takes_only_its_own_agents_away(join, settings, monkeypatch, caplog):
    class Broken(types.ModuleType):
        pass

    class Finder:
        """Finds one module, whose import fails."""

        @staticmethod
        def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
            if name == "broken_agents":
                raise RuntimeError(SECRET)

    settings.NETRA_AGENT_MODULES = ["broken_agents"]
    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    monkeypatch.setattr(registry, "_discovered", False)
    client = await join()
    assert (await client.ask("start_agent", agent_type="of_broken_agents"))["code"] == "unknown_agent"
    assert (await client.finish(await client.start("test")))[-1]["event_type"] == "agent_completed"
    assert "the agents of broken_agents cannot be imported" in caplog.text
    assert SECRET in caplog.text


async def test_the_log_has_the_traceback_and_the_incident(join, make, caplog):
    async def body(ctx, input):
        raise RuntimeError(SECRET)

    make(body)
    _, end = await outcome(join)
    incident = end["message"].split("Incident ")[1].rstrip(".")
    (record,) = [record for record in caplog.records if incident in record.getMessage()]
    assert record.exc_info is not None
    assert SECRET in str(record.exc_info[1])

"""Whatever an agent's body does, its run ends once, and nobody reads what was not meant for them."""

import asyncio
from typing import Any

import pytest

from netra.agents import AgentError, ModelUnavailable, ToolError
from test_framework.gateway import SECRET, outcome

pytestmark = pytest.mark.django_db(transaction=True)


async def _plain(ctx, input):
    raise RuntimeError(SECRET)


async def _in_a_tool(ctx, input):
    async with ctx.tool("search"):
        raise RuntimeError(SECRET)


async def _system_exit(ctx, input):
    raise SystemExit(3)


async def _interrupt(ctx, input):
    raise KeyboardInterrupt


async def _cancelled_by_itself(ctx, input):
    raise asyncio.CancelledError


async def _no_iteration(ctx, input):
    raise StopAsyncIteration


async def _arguments_without_json(ctx, input):
    async with ctx.tool("search", {"q": object()}):
        pass


@pytest.mark.parametrize(
    "body",
    [_plain, _in_a_tool, _system_exit, _interrupt, _cancelled_by_itself, _no_iteration, _arguments_without_json],
)
async def test_error__is_an_incident(join, make, body) -> None:
    make(body)
    events, end = await outcome(join)
    assert (end["type"], end["code"]) == ("agent_failed", "agent_error")
    assert "Incident" in end["message"]
    closed = [event["data"] for event in events if event["event_type"] == "tool_completed"]
    assert [call["error"] for call in closed] == (["The tool failed."] if body is _in_a_tool else [])


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (object(), "result_unserialisable"),
        (float("nan"), "result_unserialisable"),
        ("x" * 300_000, "result_too_large"),
    ],
    ids=["object", "nan", "large"],
)
async def test_result__that_cannot_be_shown(join, make, value: Any, code: str) -> None:
    async def body(ctx, input):
        return value

    make(body)
    assert (await outcome(join))[1]["code"] == code


async def test_tool_result__without_json__closes_the_tool_and_raises_in_the_agent(join, make) -> None:
    async def body(ctx, input):
        with pytest.raises(ValueError, match="JSON"):
            async with ctx.tool("search") as call:
                call.result = object()
        return "went on"

    make(body)
    events, end = await outcome(join)
    assert end["result"] == "went on"
    assert [event["data"]["status"] for event in events if event["event_type"] == "tool_completed"] == ["error"]


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (AgentError("Ask me later."), "Ask me later."),
        (AgentError(), "The agent failed."),
        (ToolError("The index is away."), "The index is away."),
        (ToolError(), "The tool failed."),
    ],
)
async def test_authors_text__is_shown(join, make, error: Exception, shown: str) -> None:
    async def body(ctx, input):
        try:
            raise RuntimeError(SECRET)
        except RuntimeError:
            raise error  # noqa: B904 - its context is there, and stays unseen

    make(body)
    assert (await outcome(join))[1]["message"] == shown


async def test_timeout__of_the_agent(join, make) -> None:
    async def body(ctx, input):
        async with ctx.tool("slow"):
            await asyncio.Event().wait()

    make(body, timeout=0.3)
    events, end = await outcome(join)
    assert end["code"] == "timeout"
    assert [event["data"]["status"] for event in events if event["event_type"] == "tool_completed"] == ["cancelled"]


@pytest.mark.parametrize(
    ("errors", "code", "shown"),
    [
        ([ModelUnavailable("Away.", retry_after_ms=5)], "model_unavailable", "Away."),
        ([AgentError("First."), ToolError("Second.")], "agent_error", "First."),
        ([ExceptionGroup("inner", [AgentError("Deep.")])], "agent_error", "Deep."),
        ([ToolError("No paper.")], "agent_error", "No paper."),
        ([AgentError("First."), RuntimeError(SECRET)], "agent_error", "The agent failed. Incident"),
    ],
)
async def test_authors_text__out_of_a_task_group(join, make, errors, code: str, shown: str) -> None:
    async def body(ctx, input):
        async with ctx.tool("search"):
            raise ExceptionGroup("unhandled errors in a TaskGroup", errors)

    make(body)
    events, end = await outcome(join)
    told = [event["data"]["error"] for event in events if event["event_type"] == "tool_completed"]
    assert told == [shown if isinstance(errors[0], ToolError) else "The tool failed."]
    assert (end["code"], end["message"].startswith(shown)) == (code, True)

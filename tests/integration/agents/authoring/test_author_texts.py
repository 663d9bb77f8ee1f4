"""Half a character harms no run, wherever an author's text can go."""

import asyncio
import os
from typing import Any

import pytest

from netra.agents import AgentError, ToolError
from test_framework.gateway import outcome
from websocket_core.testing.sockets import texts_of

pytestmark = pytest.mark.django_db(transaction=True)

HALF, OTHER = "\ud83d", "\ude00"
UNREADABLE = os.fsdecode(b"report-\xff.txt")  # a file name that is no UTF-8


def said(events: list[dict[str, Any]], kind: str = "agent_message") -> list[str]:
    return list(texts_of([event for event in events if event["event_type"] == kind]).values())


async def test_halves__of_two_appends_are_joined(join, make) -> None:
    async def body(ctx, input):
        async with ctx.message("one") as one, ctx.message("two") as two:
            await one.append("a" + HALF)
            await two.append("plain" + HALF)
            await one.append(OTHER + "b")
            await two.append("ascii")
            await one.append(HALF)
        await ctx.say(UNREADABLE)
        await ctx.think(HALF)
        await ctx.think(OTHER)
        await ctx.think(HALF, stream="odd\ud83d")
        left = ctx.message()
        await left.append(HALF)

    make(body)
    events, end = await outcome(join)
    assert end["type"] == "agent_completed"
    assert said(events) == ["a😀b\ufffd", "plain\ufffdascii", "report-\ufffd.txt", "\ufffd"]
    assert said(events, "agent_thinking") == ["😀", "\ufffd"]


async def test_halves__of_a_sync_body(join, make) -> None:
    def body(ctx, input):
        with ctx.message() as message:
            message.append(HALF)
            message.append(OTHER)
            message.append(HALF)
        return UNREADABLE

    make(body)
    events, end = await outcome(join)
    assert said(events) == ["😀\ufffd"]
    assert end["result"] == "report-\ufffd.txt"


async def test_halves__in_data(join, make) -> None:
    async def body(ctx, input):
        async with ctx.tool("read " + HALF, {"path": UNREADABLE, HALF: 1}, tool_call_id="call" + HALF) as call:
            call.result = [UNREADABLE]
        await ctx.publish_state({"file": UNREADABLE})
        try:
            async with ctx.tool("fails"):
                raise ToolError("no " + HALF)
        except ToolError:
            pass
        ctx.report_usage({"model": UNREADABLE})
        return {"files": [UNREADABLE]}

    make(body)
    events, end = await outcome(join)
    by_type = {event["event_type"]: event["data"] for event in events}
    first = next(event["data"] for event in events if event["event_type"] == "tool_executing")
    assert first == {
        "tool_call_id": "call\ufffd",
        "tool_name": "read \ufffd",
        "arguments": {"path": "report-\ufffd.txt", "\ufffd": 1},
    }
    done = [event["data"] for event in events if event["event_type"] == "tool_completed"]
    assert [call.get("result") or call["error"] for call in done] == [["report-\ufffd.txt"], "no \ufffd"]
    assert by_type["agent_state"]["state"] == {"file": "report-\ufffd.txt"}
    assert end["result"] == {"files": ["report-\ufffd.txt"]}
    assert end["usage"] == [{"model": "report-\ufffd.txt"}]


async def test_halves__in_an_authors_error(join, make) -> None:
    async def body(ctx, input):
        raise AgentError(f"There is no {UNREADABLE}.")

    make(body)
    assert (await outcome(join))[1]["message"] == "There is no report-\ufffd.txt."


async def test_a_tools_error__is_as_long_as_a_runs(join, make, settings) -> None:
    async def body(ctx, input):
        async with ctx.tool("search"):
            raise ToolError("x" * 300_000)

    make(body)
    events, end = await outcome(join)
    errors = [event["data"]["error"] for event in events if event["event_type"] == "tool_completed"]
    assert errors == [end["message"]] == ["x" * 4095 + "…"]


async def test_odd_texts__in_a_question(join, make, each_database) -> None:
    async def body(ctx, input):
        arguments = {"path": UNREADABLE, "nul": "\0"}
        decision = await ctx.approve(f"Delete {UNREADABLE}\0?", tool_name="rm\0" + HALF, arguments=arguments)
        async with ctx.tool("rm\0" + HALF, arguments, approval=decision):
            pass
        return decision.approved

    make(body)
    client = await join()
    run = await client.start("made")
    asked = await client.receive_json()
    while asked["event_type"] != "approval_requested":
        asked = await client.receive_json()
    assert asked["data"]["message"] == "Delete report-\ufffd.txt\ufffd?"
    assert asked["data"]["tool_name"] == "rm\ufffd\ufffd"
    assert asked["data"]["arguments"] == {"path": "report-\ufffd.txt", "nul": "\0"}
    await client.send("respond", run_id=asked["run_id"], approval_id=asked["data"]["approval_id"], approved=True)
    assert (await client.finish(run))[-1]["data"]["result"] is True


async def test_a_question__that_no_column_takes(join, make) -> None:
    async def body(ctx, input):
        with pytest.raises(ValueError, match="tool_call_id"):
            await asyncio.wait_for(ctx.approve("?", tool_call_id="x" * 129), 30)

    make(body)
    assert (await outcome(join))[1]["type"] == "agent_completed"

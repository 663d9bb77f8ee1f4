"""Start, stop and respond mean the same over HTTP as on the socket: same runs, same refusals, same fields."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from integration.netra.api.api_caller import Caller
from test_framework.gateway import Join
from websocket_core.testing.sockets import Client

pytestmark = pytest.mark.django_db(transaction=True)

# Fields of an answer that its way brings along.
OF_THE_WAY = {"event_type", "request_id", "message", "type", "title", "status", "detail"}
START = {"agent_type": "test"}


def over_http(action: str, fields: dict[str, Any]) -> tuple[str, str, Any]:
    """Method, path and body of the call that does what this frame does."""
    body = {name: value for name, value in fields.items() if name not in ("run_id", "approval_id")}
    match action:
        case "start_agent":
            return "POST", "/runs", fields
        case "stop_agent":
            return "POST", f"/runs/{fields['run_id']}/stop", body
        case _:
            return "POST", f"/runs/{fields['run_id']}/approvals/{fields['approval_id']}", body


async def by_socket(client: Client, action: str, fields: dict[str, Any]) -> dict[str, Any]:
    return _kept(await client.ask(action, **fields))


async def by_http(caller: Caller, action: str, fields: dict[str, Any]) -> dict[str, Any]:
    answer = await caller.send(*over_http(action, fields))
    assert answer.status_code >= 400, answer.content
    return _kept(msgspec.json.decode(answer.content))


def _kept(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name not in OF_THE_WAY}


@pytest.fixture
async def both(join: Join, make) -> tuple[Client, Caller, dict[str, str]]:
    """Two ways in for one user, who has a run that is over, one that works, and one decided approval."""

    async def wait(ctx, input):
        await asyncio.Event().wait()

    async def ask(ctx, input):
        return {"approved": (await ctx.approve("Send it?", tool_name="mail", arguments={})).approved}

    make(wait, name="waiting")
    make(ask, name="asking")
    client, caller = await join("ann"), await Caller.of("ann")
    await client.finish(await client.start("test", run_id="over", thread_id="t-over"))
    await client.start("waiting", run_id="works", thread_id="t-works")
    asked = await client.start("asking", run_id="asked", thread_id="t-asked")
    approval = (await client.until("approval_requested"))["data"]["approval_id"]
    await client.send("respond", run_id="asked", approval_id=approval, approved=True, value={"n": 1})
    await client.finish(asked)
    return client, caller, {"APPROVAL": approval}


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("start_agent", {}),
    ("start_agent", {"agent_type": ""}),
    ("start_agent", {"agent_type": 3}),
    ("start_agent", {"agent_type": "x" * 129}),
    ("start_agent", {"agent_type": "nobody"}),
    ("start_agent", {**START, "thread_id": "a b"}),
    ("start_agent", {**START, "thread_id": "a\n"}),
    ("start_agent", {**START, "thread_id": ""}),
    ("start_agent", {**START, "run_id": "x" * 129}),
    ("start_agent", {**START, "run_id": 7}),
    ("start_agent", {**START, "if_busy": "perhaps"}),
    ("start_agent", {**START, "input": {"a": ["\x00"]}}),
    ("start_agent", {**START, "run_id": "over", "thread_id": "other"}),
    ("start_agent", {**START, "run_id": "new", "thread_id": "t-works", "if_busy": "reject"}),
    ("stop_agent", {"run_id": "over"}),
    ("stop_agent", {"run_id": "never"}),
    ("stop_agent", {"run_id": "works", "reason": "x" * 1025}),
    ("stop_agent", {"run_id": "works", "reason": "\x00"}),
    ("stop_agent", {"run_id": "works", "reason": 1}),
    ("respond", {"run_id": "asked", "approval_id": "APPROVAL", "approved": False}),
    ("respond", {"run_id": "asked", "approval_id": "never", "approved": True}),
    ("respond", {"run_id": "over", "approval_id": "APPROVAL", "approved": True}),
    ("respond", {"run_id": "never", "approval_id": "APPROVAL", "approved": True}),
    ("respond", {"run_id": "asked", "approval_id": "APPROVAL"}),
    ("respond", {"run_id": "asked", "approval_id": "APPROVAL", "approved": 1}),
    ("respond", {"run_id": "asked", "approval_id": "APPROVAL", "approved": "yes"}),
]


async def test_refusals__have_the_same_code_and_fields(both):
    client, caller, names = both
    for action, fields in REFUSED:
        sent = {name: names.get(str(value), value) for name, value in fields.items()}
        told = await by_socket(client, action, sent)
        assert told["code"], (action, fields)
        assert await by_http(caller, action, sent) == told, (action, fields)


@pytest.mark.parametrize("first", ["socket", "http"])
async def test_repeated_start__by_the_other_way_starts_nothing(both, first):
    client, caller, _ = both
    message = {"agent_type": "test", "run_id": "twice", "thread_id": "t-twice", "if_busy": None, "input": None}
    if first == "http":
        await caller.post("/runs", message, 201)
        await caller.until("twice", "completed")
        assert (await client.ask("start_agent", **message))["event_type"] == "replaying"
    else:
        await client.finish(await client.start(**message))
        assert (await caller.post("/runs", message))["existing"] is True
    page = await caller.get("/threads/t-twice/runs")
    assert [run["run_id"] for run in page["runs"]] == ["twice"]
    assert [event["event_type"] for event in (await caller.get("/threads/t-twice/events"))["events"]].count(
        "agent_started"
    ) == 1


async def test_stop_again__while_it_stops_is_no_error(both):
    _, caller, _ = both
    for _ in range(2):
        answer = await caller.send("POST", "/runs/works/stop", {"reason": "enough"})
        assert answer.status_code in (202, 409)  # 409: it was over already
    await caller.until("works", "cancelled")

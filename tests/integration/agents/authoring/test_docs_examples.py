"""The agents and the client that the documents show do what the documents say."""

import asyncio
import json
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
import websockets
from django.test import RequestFactory

import netra
from netra.agents import agent
from servers.fixtures import StartServer
from test_framework.gateway import kinds
from websocket_core.testing.sockets import Client

ROOT = Path(__file__).resolve().parents[4]


def example(path: str, place: int) -> str:
    """A Python block of a document."""
    found = re.findall(r"^( *)```python\n(.*?)^ *```", (ROOT / path).read_text(), re.MULTILINE | re.DOTALL)
    return textwrap.dedent(found[place][1])


def run_example(path: str, place: int, **names: Any) -> dict[str, Any]:
    scope = {"__name__": f"tests.of_{Path(path).stem.replace('-', '_')}", **names}
    exec(example(path, place), scope)  # noqa: S102 - what readers are told to write
    return scope


async def start(join, agent_type: str, given: Any) -> tuple[Client, Any]:
    client = await join()
    return client, await client.start(agent_type, input=given)


@pytest.mark.django_db(transaction=True)
async def test_first_agent(join, make) -> None:
    run_example("docs/tutorial/first-agent.md", 0)
    client, run = await start(join, "weather", "Oslo")
    events = await client.finish(run)
    assert kinds(events)[0] == "agent_started"
    assert {"agent_thinking", "tool_executing", "tool_completed", "agent_message"} <= set(kinds(events))
    assert events[-1]["data"]["result"] == {"rain": True}
    refused = await client.finish(await client.start("weather", input=" "))
    assert refused[-1]["data"]["message"] == "Which city?"


@pytest.mark.django_db(transaction=True)
async def test_readme_agent(join, make) -> None:
    async def forecast(city):
        return "rain"

    run_example("README.md", 0, forecast=forecast)
    client, run = await start(join, "weather", {"city": "Oslo"})
    assert (await client.finish(run))[-1]["data"]["result"] == {"rain": True}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("approved", [True, False])
async def test_approvals__the_agent_that_rests(join, make, approved: bool) -> None:
    async def refund(order):
        return f"refunded {order}"

    run_example("docs/howto/approvals.md", 2, refund=refund)
    client, run = await start(join, "refunds", {})
    asked = await client.receive_json()
    while asked["event_type"] != "approval_requested":
        asked = await client.receive_json()
    await client.send("respond", run_id=asked["run_id"], approval_id=asked["data"]["approval_id"], approved=approved)
    assert (await client.finish(run))[-1]["data"]["result"] == {"refunded": approved}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("block", [0, 1])
async def test_approvals__the_agent_that_waits(join, make, block: int) -> None:
    async def refund(order, euros=0):
        return f"refunded {order}"

    source = "async def body(ctx, input):\n" + textwrap.indent(example("docs/howto/approvals.md", block), "    ")
    scope: dict[str, Any] = {"__name__": "tests.of_approvals", "refund": refund}
    exec(source, scope)  # noqa: S102 - what readers are told to write
    make(scope["body"])
    client, run = await start(join, "made", {})
    asked = await client.receive_json()
    while asked["event_type"] != "approval_requested":
        asked = await client.receive_json()
    await client.send("respond", run_id=asked["run_id"], approval_id=asked["data"]["approval_id"], approved=True)
    events = await client.finish(run)
    assert [event["data"]["result"] for event in events if event["event_type"] == "tool_completed"] == ["refunded 7"]


async def test_client__that_follows_a_thread(start_server: StartServer) -> None:
    follow = run_example("docs/howto/write-a-client.md", 0)["follow"]
    server = start_server()
    token = await asyncio.to_thread(server.installation.token, "105945141827451681156")
    seen: list[dict[str, Any]] = []
    over = asyncio.Event()

    def handle(event: dict[str, Any]) -> None:
        seen.append(event)
        if event["event_type"] == "agent_completed":
            over.set()

    following = asyncio.create_task(follow(server.ws_url, token, "conversation_xyz789", handle))
    headers = {"Authorization": f"Bearer {token}"}
    async with websockets.connect(server.ws_url, additional_headers=headers) as socket, asyncio.timeout(60):
        action = {"action": "start_agent", "agent_type": "test", "thread_id": "conversation_xyz789"}
        await socket.send(json.dumps(action))
        await over.wait()
    following.cancel()
    await asyncio.wait({following})
    assert [event["seq"] for event in seen] == list(range(1, len(seen) + 1))


def example_scope(path: str) -> dict[str, Any]:
    """The names that all Python blocks of a document define."""
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / path).read_text(), re.MULTILINE | re.DOTALL)
    scope: dict[str, Any] = {"__name__": f"tests.of_{Path(path).stem.replace('-', '_')}"}
    for block in blocks:
        exec(block, scope)  # noqa: S102 - what readers are told to write
    return scope


@pytest.mark.django_db(transaction=True)
async def test_run_agents_from_your_code(join) -> None:
    @agent("orders")
    async def orders(ctx, input):
        if input == {"order": 7}:
            return (await ctx.approve("Ship it?")).approved
        return input["message"]

    page = example_scope("docs/howto/run-agents-from-your-code.md")
    request = RequestFactory().get("/")
    request.user, run_id = await asyncio.to_thread(page["sign_up"], "ann")
    run = await (await netra.aget_run(run_id, user=request.user)).await_(20)
    assert run.result == "Welcome ann"
    assert await asyncio.to_thread(page["summary"], request.user) == "Sum it up"
    started = json.loads((await asyncio.to_thread(page["order"], request)).content)
    run = await netra.aget_run(started["run_id"], user=request.user)
    while run.status != "waiting":
        await asyncio.sleep(0.01)
        await run.arefresh()
    await asyncio.to_thread(page["answer_open_questions"], request.user, True)
    assert (await run.await_(20)).result is True
    client = await join(user_id=str(request.user.pk))
    await client.ask("ping")
    await asyncio.to_thread(page["order_shipped"], 7, request.user)
    assert await client.receive_json() == {"event_type": "notice", "name": "order_shipped", "data": {"order": 7}}

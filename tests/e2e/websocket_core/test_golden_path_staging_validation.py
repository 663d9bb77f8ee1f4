"""The golden path in a deployed environment: many users, browsers, reconnection, recovery."""

import asyncio
import json
import time
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from e2e.websocket_core.conftest import Staging
from e2e.websocket_core.test_factory_staging_validation import connect, receive
from integration.faults.patient_client import PatientClient, journal_of
from websocket_core.wire import CRITICAL

# One group: whoever runs tests side by side starts staging once.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

USERS = ("105945141827451681156", "github_user_98765432101", "auth0|abc123def456")


async def tokens_of(staging: Staging, users: tuple[str, ...]) -> list[str]:
    return [await asyncio.to_thread(staging.token_of, user) for user in users]


def test_golden_path__as_an_operator_probes_it__exit_code_0(local_staging: Staging) -> None:
    printed = local_staging.manage(
        "golden_path", "--url", local_staging.ws_url, "--token", local_staging.token, "--json"
    )
    result = json.loads(printed)
    assert result["ok"]
    assert {step["name"] for step in result["steps"]} >= CRITICAL


async def test_golden_path__five_critical_events__in_order(staging: Staging) -> None:
    async with connect(staging) as socket:
        await socket.send('{"action": "start_agent", "agent_type": "test"}')
        seen: list[str] = []
        async with asyncio.timeout(30):
            while not seen or seen[-1] != "agent_completed":
                seen.append(json.loads(await socket.recv())["event_type"])
    assert [event for event in seen if event in CRITICAL] == [
        "agent_started",
        "agent_thinking",
        "tool_executing",
        "tool_completed",
        "agent_completed",
    ]


async def test_golden_path__many_sockets_at_once__each_sees_its_own_run_alone(staging: Staging) -> None:
    """One user, twelve sockets over both servers, each watching its own thread."""

    async def one(number: int) -> None:
        async with connect(staging) as socket:
            thread = f"workflow_integration_{number}"
            await socket.send(json.dumps({"action": "watch", "threads": [thread]}))
            await receive(socket, "watching")
            started = {"action": "start_agent", "agent_type": "test", "thread_id": thread, "input": f"marker {number}"}
            await socket.send(json.dumps(started))
            while True:
                message: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), 40))
                assert message.get("thread_id") == thread
                if message["event_type"] == "agent_completed":
                    assert message["data"]["result"]["echo"] == {"message": f"marker {number}"}
                    return

    await asyncio.gather(*(one(number) for number in range(12)))


async def test_two_tabs__at_different_servers__see_the_same_bytes(staging: Staging) -> None:
    async with connect(staging) as first, connect(staging) as second:
        await second.send('{"action": "ping"}')
        await receive(second, "pong")
        await first.send('{"action": "start_agent", "agent_type": "test", "thread_id": "two-tabs"}')
        texts: list[list[str]] = [[], []]
        for index, socket in enumerate((first, second)):
            async with asyncio.timeout(30):
                while not texts[index] or "agent_completed" not in texts[index][-1]:
                    text = str(await socket.recv())
                    if '"thread_id":"two-tabs"' in text:
                        texts[index].append(text)
    assert texts[0] == texts[1]


async def test_stop__from_another_socket__stops_the_worker_s_run(local_staging: Staging) -> None:
    """Local: other deployments need not have an agent that takes its time."""
    async with connect(local_staging) as first, connect(local_staging) as second:
        start = {"action": "start_agent", "agent_type": "ticker", "input": {"events": 10000, "pause": 0.05}}
        await first.send(json.dumps(start))
        run_id = (await receive(first, "agent_started"))["run_id"]
        await second.send(json.dumps({"action": "stop_agent", "run_id": run_id, "reason": "enough"}))
        assert (await receive(first, "agent_cancelled"))["data"] == {"reason": "enough"}


async def test_server__killed__clients_resume_at_the_other(local_staging: Staging) -> None:
    tokens = await tokens_of(local_staging, USERS)
    clients = [PatientClient([local_staging.ws_url], token) for token in tokens]
    async with clients[0], clients[1], clients[2]:
        for client in clients:
            await client.start("run-over-kill", "thread_2025_09_13_abc123", events=120, pause=0.05)
        await asyncio.to_thread(local_staging.control, "signal", "KILL", "server-1")
        await asyncio.gather(*(client.wait_for_end("run-over-kill", 120) for client in clients))
    for client, token in zip(clients, tokens, strict=True):
        assert client.faults == []
        assert client.ended == {"run-over-kill": ["agent_completed"]}  # the runs are the workers', not the server's
        thread = "thread_2025_09_13_abc123"
        assert client.seen[thread] == await journal_of(local_staging.ws_url, token, thread)


async def test_worker__killed__its_run_ends_honestly_and_the_thread_goes_on(local_staging: Staging) -> None:
    token = (await tokens_of(local_staging, USERS[:1]))[0]
    async with PatientClient([local_staging.ws_url], token) as client:
        await client.start("run-lost", "thread-lost", events=10000, pause=0.05)
        for worker in ("worker-1", "worker-2"):
            await asyncio.to_thread(local_staging.control, "signal", "KILL", worker)
        await client.wait_for_end("run-lost", 90)
        assert json.loads(client.seen["thread-lost"][-1])["data"]["code"] == "worker_lost"
        await client.start("run-after", "thread-after", events=3)
        await client.wait_for_end("run-after", 90)
    assert client.faults == []
    assert client.ended == {"run-lost": ["agent_failed"], "run-after": ["agent_completed"]}


async def test_rolling_restart__of_everything__nobody_notices_more_than_a_reconnect(local_staging: Staging) -> None:
    token = (await tokens_of(local_staging, USERS[1:2]))[0]
    async with PatientClient([local_staging.ws_url], token) as client:
        await client.start("run-rolling", "thread-rolling", events=60, pause=0.05)
        for program in ("server-1", "server-2", "worker-1", "worker-2"):
            await asyncio.to_thread(local_staging.control, "restart", program)
        await client.wait_for_end("run-rolling", 120)
    assert client.faults == []
    assert client.ended["run-rolling"] in (["agent_completed"], ["agent_failed"])
    last = json.loads(client.seen["thread-rolling"][-1])
    assert last["data"].get("code") in (None, "server_stopped")


async def test_load__users_and_tabs__nothing_lost_nothing_twice(local_staging: Staging) -> None:
    """12 sockets of 3 users, 12 runs at a model's pace; the time is printed, not judged: the machine is anybody's."""
    tokens = await tokens_of(local_staging, USERS)
    clients = [PatientClient([local_staging.ws_url], token) for token in tokens for _ in range(4)]
    for client in clients:
        await client.__aenter__()
    try:
        began = time.monotonic()
        starters = clients[::4]
        names = [f"load-{number}" for number in range(4)]
        await asyncio.gather(
            *(starter.start(name, f"thread-{name}", events=60, pause=0.05) for starter in starters for name in names)
        )
        await asyncio.gather(*(client.wait_for_end(name, 120) for client in clients for name in names))
        print(f"{len(clients) * len(names) * 62} deliveries in {time.monotonic() - began:.1f} s")  # noqa: T201
    finally:
        for client in clients:
            await client.__aexit__()
    for index, client in enumerate(clients):
        assert client.faults == []
        assert {name: client.ended[name] for name in names} == {name: ["agent_completed"] for name in names}
        first = clients[index - index % 4]
        assert [client.seen[f"thread-{name}"] for name in names] == [first.seen[f"thread-{name}"] for name in names]


def test_browsers__two_people_at_once__each_sees_their_own_run(local_staging: Staging, browser: Browser) -> None:
    """Two real browsers, logged in as two people, through the load balancer."""
    assert local_staging.folder is not None
    people = json.loads((local_staging.folder / "dev_users.json").read_text())
    pages = []
    for name, password in logins(people):
        page = browser.new_context(base_url=local_staging.url).new_page()
        page.goto("/")
        page.get_by_label("Username").fill(name)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("textbox").first).to_be_visible(timeout=30_000)
        pages.append((name, page))
    for name, page in pages:
        page.locator("textarea").first.fill(f"secret of {name}")
        page.locator("textarea").first.press("Control+Enter")
    for name, page in pages:
        expect(page.locator("body")).to_contain_text(f"secret of {name}", timeout=60_000)
        other = next(other for other, _ in pages if other != name)
        assert f"secret of {other}" not in page.content()


def logins(people: dict[str, dict[str, str]]) -> list[tuple[str, str]]:
    """Names and passwords out of what `dev_setup` keeps."""
    return [(name, person["password"]) for name, person in people.items()]

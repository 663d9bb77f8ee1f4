"""Limits over several processes: the rate of actions and of starts, connections, and what killed servers leave."""

from __future__ import annotations

import asyncio
import functools
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import redis
import websockets

from servers.fixtures import TEST_KEY
from servers.netra import Installation, NetraServer
from servers.valkey import ValkeyServer
from test_framework.ssot.factories import AUTH0
from websocket_core.conf import Defaults
from websocket_core.ids import new_id
from websocket_core.limits import Limiter, Pace
from websocket_core.limits.sharing import LimitSharing

PATIENCE = 30.0


async def open_socket(server: NetraServer, token: str, stack: AsyncExitStack) -> websockets.ClientConnection:
    socket = websockets.connect(server.ws_url, proxy=None, additional_headers={"Authorization": f"Bearer {token}"})
    return await stack.enter_async_context(socket)


async def ask(socket: websockets.ClientConnection, action: str = "ping", **fields: Any) -> dict[str, Any]:
    """The answer; starting an agent is answered by its `agent_started`."""
    request_id = new_id()
    await socket.send(json.dumps({"action": action, "request_id": request_id, **fields}))
    while True:
        frame: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE))
        if request_id in (frame.get("request_id"), frame.get("data", {}).get("request_id")):
            return frame


async def passes(socket: websockets.ClientConnection, seconds: float, pause: float) -> int:
    """How many actions are let through in this time."""
    passed, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        passed += (await ask(socket))["event_type"] == "pong"
        await asyncio.sleep(pause)
    return passed


# Bursts let the other tests be: they use few actions, each for users of its own.
SETTINGS = {
    "NETRA_ACTIONS_PER_SECOND": "20",
    "NETRA_ACTIONS_BURST": "40",
    "NETRA_FLOODING_AFTER": "100000",
    "NETRA_STARTS_PER_MINUTE": "6",
    "NETRA_PROCESS_TIMEOUT": "3",
    "NETRA_HEARTBEAT_SECONDS": "0.5",
}


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path, redis_url: str) -> Installation:
    folder = tmp_path_factory.mktemp("shared-limits") / "data"
    shutil.copytree(migrated_sqlite, folder)
    prefix = f"test-{time.monotonic_ns()}"
    return Installation(
        folder, {"SECRET_KEY": TEST_KEY, "REDIS_URL": redis_url, "NETRA_REDIS_PREFIX": prefix, **SETTINGS}
    )


@pytest.fixture(scope="module")
def both(installation: Installation) -> Iterator[tuple[NetraServer, NetraServer]]:
    servers = installation.server(), installation.server()
    yield servers
    for server in servers:
        server.end()


@pytest.fixture
def pair(both: tuple[NetraServer, NetraServer]) -> tuple[NetraServer, NetraServer]:
    """Two servers of one installation; a test may kill them."""
    for server in both:
        if not server.is_running:
            server.start()
    return both


@pytest.fixture(scope="module")
def token(installation: Installation) -> Callable[[str], str]:
    """Tokens of users, made when first asked for."""
    return functools.cache(installation.token)


async def test_actions__one_rate_over_five_sockets_of_two_servers(pair, token):
    """20 a second for all together, measured from an empty bucket on: each server alone would let 20 through."""
    async with AsyncExitStack() as stack:
        sockets = [await open_socket(pair[number % 2], token("ann"), stack) for number in range(5)]
        async with asyncio.TaskGroup() as group:  # both servers have seen the user, the bucket is empty
            for socket in sockets:
                group.create_task(passes(socket, 1.5, 0.01))
        begin = time.monotonic()
        async with asyncio.TaskGroup() as group:
            counts = [group.create_task(passes(socket, 4.0, 0.02)) for socket in sockets]
        seconds = time.monotonic() - begin
        rate = sum(count.result() for count in counts) / seconds
        assert 10 <= rate <= 27, rate
        bob = await open_socket(pair[0], token("bob"), stack)
        assert (await ask(bob))["event_type"] == "pong"
        async with asyncio.timeout(PATIENCE):  # and everything is allowed again
            while [(await ask(socket))["event_type"] for socket in sockets] != ["pong"] * 5:  # noqa: ASYNC110
                await asyncio.sleep(0.2)


async def test_starts__one_limit_over_two_servers_that_a_killed_one_does_not_keep(pair, token):
    async with AsyncExitStack() as stack:
        one, two = [await open_socket(server, token("carl"), stack) for server in pair]
        for number in range(6):
            started = await ask(one, "start_agent", agent_type="test", run_id=f"run-{number}")
            assert started["event_type"] == "agent_started"
        refused = await ask(one, "start_agent", agent_type="test")
        assert refused["code"] == "rate_limited"
        assert 1000 <= refused["retry_after_ms"] <= 10_000
        assert (await ask(one))["event_type"] == "pong"  # a refused start costs nothing else
        again = await ask(one, "start_agent", agent_type="test", run_id="run-0")  # a retry starts nothing
        assert again["event_type"] == "replaying"
        pair[0].kill()
        # The other server learns of it with the first start it lets through, at the latest.
        answers: list[dict[str, Any]] = []
        async with asyncio.timeout(PATIENCE):
            while not answers or answers[-1]["event_type"] != "error":
                answers.append(await ask(two, "start_agent", agent_type="test"))
                await asyncio.sleep(0.6)
        assert len(answers) <= 3, answers
        assert answers[-1]["code"] == "rate_limited"
        assert answers[-1]["retry_after_ms"] <= 20_000  # what the killed one let through is forgiven as time goes by


async def test_connections__21st_refused_on_any_server_until_the_killed_one_is_forgotten(pair, token):
    first, second = pair
    async with AsyncExitStack() as stack:
        for number in range(20):
            socket = await open_socket((first, second)[number % 4 == 3], token("dora"), stack)
            assert (await ask(socket))["event_type"] == "pong"
        for server in (first, second):
            late = await open_socket(server, token("dora"), stack)
            frame = json.loads(await asyncio.wait_for(late.recv(), PATIENCE))
            assert (frame["code"], frame["retry_after_ms"] > 0) == ("too_many_connections", True)
            with pytest.raises(websockets.ConnectionClosed):
                await late.recv()
            assert late.close_code == 4409
        assert (await ask(await open_socket(second, token("bob"), stack)))[
            "event_type"
        ] == "pong"  # limits are a user's own
        assert (await ask(socket))["event_type"] == "pong"  # those who were there stay
        first.kill()
        async with asyncio.timeout(PATIENCE):
            while True:
                again = await open_socket(second, token("dora"), stack)
                with suppress(websockets.ConnectionClosed):  # refused already; why, is still to be read
                    await again.send('{"action": "ping"}')
                if json.loads(await again.recv())["event_type"] == "pong":
                    break
                await asyncio.sleep(0.3)


def test_connections__of_a_killed_process_stop_counting_within_a_minute():
    assert Defaults.PROCESS_TIMEOUT + 2 * Defaults.HEARTBEAT_SECONDS < 60
    assert Defaults.MAX_CONNECTIONS_PER_USER == 20


@pytest.mark.django_db(transaction=True)
async def test_flooding__answered_first_closed_when_ignored(join, settings):
    settings.NETRA_ACTIONS_BURST, settings.NETRA_ACTIONS_PER_SECOND = 10, 0.01
    client, again = await join(), await join()
    for _ in range(120):
        await client.send("ping")
    assert await client.closed() == 4429
    codes = [frame.get("code") for frame in client.frames]
    assert codes == [None] * 10 + ["rate_limited"] * 100 + ["flooding"]
    assert client.frames[-1]["retry_after_ms"] > 0
    answer = await again.ask("ping", payload=1)  # a limit of the user, not of the socket; the answer echoes the request
    assert answer["code"] == "rate_limited"
    other = await join(AUTH0)
    assert (await other.ask("ping"))["event_type"] == "pong"


@pytest.fixture
async def processes(settings, redis_url: str):
    """Makes limiters that share one bucket as those of different processes do."""
    settings.NETRA_REDIS_URL = redis_url
    settings.NETRA_REDIS_PREFIX = f"test-{time.monotonic_ns()}"
    made: list[LimitSharing] = []

    def make(pace: Pace) -> Limiter:
        limiter, sharing = Limiter("actions", lambda: pace), LimitSharing()
        limiter.on_take = sharing.note
        made.append(sharing)
        return limiter

    yield make
    for sharing in made:
        await sharing.stop()


async def test_sharing__learns_what_others_let_through(processes):
    one, two = processes(Pace(0.1, 10)), processes(Pace(0.1, 10))
    assert [one.take("ann") for _ in range(10)] == [None] * 10
    async with asyncio.timeout(PATIENCE):
        taken = 0
        while two.take("ann") is None:
            taken += 1
            await asyncio.sleep(0.1)
    assert taken < 10
    assert two.take("bob") is None


async def test_sharing__keys_tell_nothing_and_end_by_themselves(processes, settings, redis_url):
    limiter = processes(Pace(50, 200))
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        pattern = f"*{settings.NETRA_REDIS_PREFIX}*"
        for _ in range(100):
            limiter.take("auth0|ann@example.com")
        async with asyncio.timeout(PATIENCE):
            while not (keys := client.keys(pattern)):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.01)
        assert len(keys) == 1
        assert "ann" not in keys[0]
        assert 0 < client.pttl(keys[0]) <= 2100
        async with asyncio.timeout(PATIENCE):
            while client.keys(pattern):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)


async def test_sharing__one_connection_that_is_closed_when_idle(processes, redis_url, monkeypatch):
    monkeypatch.setattr("websocket_core.limits.sharing.IDLE_SECONDS", 0.5)
    with redis.Redis.from_url(redis_url) as client:
        before = client.info("clients")["connected_clients"]
        limiter = processes(Pace(50, 200))
        for number in range(150):
            limiter.take(f"user-{number}")
            await asyncio.sleep(0.005)
        assert client.info("clients")["connected_clients"] <= before + 1
        async with asyncio.timeout(PATIENCE):
            while client.info("clients")["connected_clients"] > before:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)


async def test_sharing__redis_away_limits_alone_and_comes_back(
    processes, settings, private_valkey: ValkeyServer, monkeypatch
):
    monkeypatch.setattr("websocket_core.process.background.PAUSE_SECONDS", 0.1)
    settings.NETRA_REDIS_URL = private_valkey.url
    private_valkey.kill()
    one, two = processes(Pace(0.1, 10)), processes(Pace(0.1, 10))
    begin = time.monotonic()
    assert [one.take("ann") is None for _ in range(11)] == [True] * 10 + [False]
    assert time.monotonic() - begin < 0.1  # nobody waits for Redis
    await asyncio.sleep(0.7)
    assert two.take("ann") is None
    private_valkey.start()
    one.forget()
    async with asyncio.timeout(PATIENCE):
        while two.take("ann") is None:
            one.take("ann")
            await asyncio.sleep(0.05)

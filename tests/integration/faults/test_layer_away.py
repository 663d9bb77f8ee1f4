"""Redis is dead or silent when users connect: no user is refused, and none waits for another user's group."""

import asyncio
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
import websockets

from chaos.proxy import Proxy
from servers.fixtures import MakeInstallation, StartServer
from servers.netra import Installation, NetraServer
from servers.valkey import ValkeyServer

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def proxy(private_valkey: ValkeyServer) -> Iterator[Proxy]:
    """Between a server and its Valkey."""
    made = Proxy(private_valkey.port)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def server(make_installation: MakeInstallation, start_server: StartServer, proxy: Proxy) -> NetraServer:
    return start_server(installation=make_installation(env={"REDIS_URL": f"redis://127.0.0.1:{proxy.port}/0"}))


def connect(server: NetraServer, token: str) -> Any:
    return websockets.connect(server.ws_url, additional_headers={"Authorization": f"Bearer {token}"}, open_timeout=60)


async def token(installation: Installation, user: str) -> str:
    return await asyncio.to_thread(installation.token, user)


async def finished(socket: Any, seconds: float) -> int:
    """Wait for the end of a run; returns how many events there were."""
    async with asyncio.timeout(seconds):
        for number in itertools.count(1):
            frame = json.loads(await socket.recv())
            assert frame["event_type"] != "error", frame
            if frame["event_type"] == "agent_completed":
                return number
    raise AssertionError("unreachable")


START = '{"action": "start_agent", "agent_type": "test"}'


@pytest.mark.parametrize("fault", ["dead", "silent"])
async def test_first_user_of_a_process__while_redis_is_away__is_served(
    server: NetraServer, proxy: Proxy, fault: str
) -> None:
    user = await token(server.installation, "first")
    await asyncio.to_thread(proxy.cut) if fault == "dead" else proxy.stall()
    async with connect(server, user) as socket:
        await socket.send(START)
        assert await finished(socket, 60) >= 5


TOKENS = """
from websocket_core.auth import tokens
for number in range(8):
    print(tokens.issue(f"user-{number}", None, "")[0])
"""


async def test_groups_that_cannot_be_joined__do_not_hold_up_the_watch(start_server: StartServer) -> None:
    """Each attempt to join takes some seconds; meanwhile what the journal has is delivered all the same."""
    env = {"DJANGO_SETTINGS_MODULE": "tests.integration.faults.faulty_layer", "FAULT": "unjoinable"}
    server = start_server(env=env)
    issued = await asyncio.to_thread(server.installation.manage, "shell", "--no-imports", "-c", TOKENS)
    sockets = await asyncio.gather(*(connect(server, one).__aenter__() for one in issued.split()))
    clock = asyncio.get_running_loop().time
    for socket in sockets[:2]:
        began = clock()
        await socket.send(START)
        assert await finished(socket, 120) >= 5
        # The watchdog looks once a second; one group after the other takes it 8 times 5 seconds.
        assert clock() - began < 15
    await asyncio.gather(*(socket.close() for socket in sockets))

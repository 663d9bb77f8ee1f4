"""Connections that are lost again and again while a run goes on, and what their clients have in the end."""

import asyncio
import random
from contextlib import AsyncExitStack

import pytest

from integration.faults.patient_client import PatientClient, journal_of
from integration.faults.test_faults import AGENTS
from servers.fixtures import MakeInstallation, StartServer
from servers.netra import Installation, NetraServer
from servers.process import ServerProcess, accepts_connections, free_port

CUTS = 30

pytestmark = pytest.mark.timeout(180)


async def test_thirty_cuts__tabs_at_two_servers__each_has_the_journal_byte_for_byte(
    make_installation: MakeInstallation, start_server: StartServer, postgres_url: str, redis_url: str
) -> None:
    """500 events a second; each connection may end before its first event, in a replay, or when all is over."""
    installation = make_installation(env={**AGENTS, "DATABASE_URL": postgres_url, "REDIS_URL": redis_url})
    urls = [start_server(installation=installation).ws_url for _ in range(2)]
    token = await asyncio.to_thread(installation.token, "restless")
    async with AsyncExitStack() as stack:
        steady = await stack.enter_async_context(PatientClient(urls, token))
        restless = [await stack.enter_async_context(PatientClient(urls, token)) for _ in range(2)]
        await steady.start("run", "thread", events=2500, pause=0.002)

        async def lose_connections(tab: PatientClient, dice: random.Random) -> None:
            tab.follow("thread")
            for _ in range(CUTS):
                connects = tab.connects
                tab.drop()
                await tab.wait_for_connect(connects + 1, 60)
                await asyncio.sleep(dice.random() * 0.2)  # somewhere: in the handshake's wake, in a replay, live

        await asyncio.gather(*(lose_connections(tab, random.Random(n)) for n, tab in enumerate(restless)))
        await asyncio.gather(*(tab.wait_for_end("run", 90) for tab in (steady, *restless)))
    truth = await journal_of(urls[0], token, "thread")
    assert len(truth) == 2502
    assert steady.connects == 1
    for tab in (steady, *restless):
        assert tab.faults == []
        assert tab.seen["thread"] == truth
    assert all(tab.connects > CUTS for tab in restless)


async def test_server_that_closes_every_socket_after_some_time__clients_come_back(
    make_installation: MakeInstallation,
) -> None:
    """Plain Daphne ends a WebSocket after `--websocket_timeout` (a day by default) with 1000, as if that was wanted."""
    installation = make_installation(env=AGENTS)
    server = daphne_with_timeout(installation, seconds=2)
    server.start()
    try:
        token = await asyncio.to_thread(installation.token, "patient")
        url = f"ws://127.0.0.1:{server.command[server.command.index('-p') + 1]}/ws"
        async with PatientClient([url], token) as client:
            await client.start("run", "thread", events=150, pause=0.04)
            await client.wait_for_end("run", 90)
        assert client.connects > 1
        assert client.faults == []
        assert client.seen["thread"] == await journal_of(url, token, "thread")
    finally:
        server.kill()


class ImpatientProxy:
    """Passes bytes between a client and a server, and cuts a connection on which the server says nothing for long."""

    def __init__(self, port: int, seconds: float) -> None:
        self._server_port, self._seconds = port, seconds
        self.cuts = 0

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/ws"

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
        upstream = asyncio.create_task(self._pass_on(reader, to_server, None))
        try:
            await self._pass_on(from_server, writer, self._seconds)
        except TimeoutError:
            self.cuts += 1
        upstream.cancel()
        for side in (writer, to_server):
            side.transport.abort()

    @staticmethod
    async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter, seconds: float | None) -> None:
        while True:
            async with asyncio.timeout(seconds):
                data = await source.read(65536)
            if not data:
                return
            target.write(data)
            await target.drain()


async def test_quiet_tool_behind_an_impatient_proxy__the_socket_stays(start_server: StartServer) -> None:
    """As long as the pings of 20 s are to the 60 s of usual proxies, and a tool that is quiet for 180 s."""
    server = start_server(env={**AGENTS, "NETRA_PING_SECONDS": "1"})
    token = await asyncio.to_thread(server.installation.token, "quiet")
    proxy = ImpatientProxy(server.port, seconds=3)
    async with proxy as url, PatientClient([url], token) as client:
        await client.start("run", "thread", agent="quiet", seconds=9)
        await client.wait_for_end("run", 60)
    assert (client.connects, proxy.cuts, client.faults) == (1, 0, [])
    assert client.seen["thread"] == await journal_of(server.ws_url, token, "thread")


def daphne_with_timeout(installation: Installation, seconds: int) -> ServerProcess:
    """Plain Daphne on a free port, which gives each WebSocket so long."""
    server: NetraServer = installation.server("daphne")
    port = free_port()
    at = server.command.index("-p") + 1
    command = [*server.command[:at], str(port), "--websocket_timeout", str(seconds), *server.command[at + 1 :]]
    return ServerProcess(
        command,
        log=installation.folder / "daphne.log",
        is_ready=lambda: accepts_connections(port),
        env=installation.env,
        cwd=None,
    )

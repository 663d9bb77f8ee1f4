"""Clients that start a run of 20 MiB each and never read: what they cost, how they end, and what they get later."""

import asyncio
import json
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import msgspec
import pytest
import websockets

from integration.delivery.conftest import StartLoadServer, tokens
from integration.server.raw_client import CLOSE, TEXT, RawClient, client_frame
from servers.netra import NetraServer
from servers.process import wait_for
from servers.process_probe import MIB, metrics, resident
from test_framework.scale import scaled

DEAF = 20
EVENTS = scaled(80, 320)  # of 64 KiB: 5 or 20 MiB for each client
EVENT_CHARS = 64 * 1024
WHOLE_RUN = EVENTS + 2  # with agent_started and agent_completed
SMALL_BUFFER = 128 * 1024  # so that the kernel holds little of what a client does not read

pytestmark = pytest.mark.timeout(300)


class DeafClient(RawClient):
    """Reads when it is told to, and keeps the number of the last event that it got."""

    def __init__(self, server: NetraServer, token: str) -> None:
        super().__init__(server.port, "/ws", receive_buffer=SMALL_BUFFER, headers=f"Authorization: Bearer {token}\r\n")
        self.server, self.token = server, token
        self.seq = 0
        self.error: dict[str, str] = {}
        self.close_frame: int | None = None

    def act(self, action: str, **fields: object) -> None:
        self.send(client_frame(json.dumps({"action": action, **fields}).encode()))

    def start(self) -> None:
        self.act("start_agent", agent_type="flood", thread_id="t", input={"events": EVENTS, "size": EVENT_CHARS})

    def read(self) -> Iterator[dict[str, object]]:
        """Frames up to the close frame or the end of the connection; every event must be the next one."""
        with suppress(ConnectionError):
            while True:
                opcode, payload = self.frame()
                if opcode == CLOSE:
                    self.close_frame = struct.unpack("!H", payload[:2])[0]
                    return
                if opcode == TEXT:
                    message = msgspec.json.decode(payload)
                    if "seq" in message:
                        assert message["seq"] == self.seq + 1
                        self.seq += 1
                    elif message["event_type"] == "error":
                        self.error = message
                    yield message

    def read_to_the_end(self) -> None:
        for _ in self.read():
            pass

    def come_back(self) -> None:
        """Connect again, resume, read everything."""
        again = DeafClient(self.server, self.token)
        again.seq = self.seq
        again.act("resume", cursors={"t": self.seq})
        for message in again.read():
            if message["event_type"] == "resumed":
                break
        self.seq = again.seq
        again.socket.close()


class QuickUser:
    """Somebody else, whose events must not come late because of them."""

    def __init__(self, server: NetraServer, token: str) -> None:
        self._server, self._token = server, token
        self.waits: list[float] = []

    async def watch(self, seconds: float) -> list[float]:
        """Seconds from emission to receipt of the events of a run that lasts so long."""
        waits = []
        headers = {"Authorization": f"Bearer {self._token}"}
        async with websockets.connect(self._server.ws_url, additional_headers=headers) as socket:
            given = {"events": int(seconds * 50), "rate": 50}
            await socket.send(json.dumps({"action": "start_agent", "agent_type": "paced", "input": given}))
            async for text in socket:
                event = json.loads(text)
                if event["event_type"] == "agent_state":
                    waits.append(time.monotonic() - event["data"]["state"]["at"])
                elif event["event_type"] == "agent_completed":
                    break
        return waits


def p99(waits: list[float]) -> float:
    return sorted(waits)[int(len(waits) * 0.99)]


def for_each(work: Callable[[DeafClient], None], clients: list[DeafClient]) -> None:
    for client in clients:
        work(client)


def patience(base: float) -> float:
    """How late events may come, in seconds: on a machine that is busy with other things, they do so in any case."""
    return max(0.5, 12 * base)


ConnectDeaf = Callable[[NetraServer, list[str]], list[DeafClient]]


@pytest.fixture
def connect_deaf() -> Iterator[ConnectDeaf]:
    """Function that connects a deaf client for each token; their sockets are closed when the test is over."""
    made: list[DeafClient] = []

    def connect(server: NetraServer, bearers: list[str]) -> list[DeafClient]:
        made.extend([DeafClient(server, bearer) for bearer in bearers])
        return made

    yield connect
    for client in made:
        client.socket.close()


async def test_clients_that_never_read__cost_little__are_cut__and_miss_nothing(
    start_load_server: StartLoadServer, connect_deaf: ConnectDeaf
) -> None:
    server = start_load_server(NETRA_STALL_SECONDS=scaled(3, 20), NETRA_STALL_CUT_SECONDS=6)
    bearers = await asyncio.to_thread(tokens, server.installation, [f"user-{n}" for n in range(DEAF + 1)])
    quick = QuickUser(server, bearers.pop())
    base = p99(await quick.watch(1.5))
    before = resident(server)
    clients = await asyncio.to_thread(connect_deaf, server, bearers)
    in_time, late = clients[:5], clients[5:]
    most = 0

    def all_closed() -> bool:
        nonlocal most
        most = max(most, resident(server) - before)
        return metrics(server).get("netra_sockets_closed_total{4408}", 0) == DEAF

    def wait_and_read_in_time() -> None:
        wait_for(all_closed, 120, "the closing of the deaf clients", pause=0.3)
        for_each(DeafClient.read_to_the_end, in_time)

    for client in clients:
        client.start()
    reading = asyncio.create_task(asyncio.to_thread(wait_and_read_in_time))
    waits = await quick.watch(scaled(4, 25))
    await reading
    assert most < 64 * MIB
    assert p99(waits) < patience(base)
    # Those who read again in time find out why; the others are cut.
    assert {(client.error.get("code"), client.close_frame) for client in in_time} == {("too_slow", 4408)}
    wait_for(lambda: metrics(server)["netra_connections"] == 0, 30, "the end of the connections", pause=0.3)
    await asyncio.to_thread(for_each, DeafClient.read_to_the_end, late)
    assert all(0 < client.seq < WHOLE_RUN for client in clients)

    await asyncio.to_thread(for_each, DeafClient.come_back, clients)
    assert [client.seq for client in clients] == [WHOLE_RUN] * DEAF


@pytest.mark.parametrize("kind", scaled(["daphne"], ["daphne", "serve"]))
async def test_clients_that_ack_and_then_stop__cost_a_window__and_go_on_where_they_were(
    start_load_server: StartLoadServer, connect_deaf: ConnectDeaf, kind: str
) -> None:
    """Plain Daphne has no back-pressure: there the window is what bounds a client that takes part in it."""
    server = start_load_server(kind)
    bearers = await asyncio.to_thread(tokens, server.installation, [f"user-{n}" for n in range(DEAF + 1)])
    quick = QuickUser(server, bearers.pop())
    base = p99(await quick.watch(1.5))
    before = resident(server)
    clients = await asyncio.to_thread(connect_deaf, server, bearers)
    for client in clients:
        client.act("ack", cursors={"t": 0})
        client.start()
    most = 0

    def all_stalled() -> bool:
        nonlocal most
        most = max(most, resident(server) - before)
        found = metrics(server)
        return found["netra_window_stalls_total"] >= DEAF and found["netra_events_appended_total"] >= DEAF * WHOLE_RUN

    stalling = asyncio.create_task(asyncio.to_thread(wait_for, all_stalled, 120, "full windows", pause=0.3))
    waits = await quick.watch(scaled(2, 10))
    await stalling
    assert most < 64 * MIB
    assert p99(waits) < patience(base)

    def go_on(client: DeafClient) -> None:
        for message in client.read():
            if message.get("seq") == WHOLE_RUN:
                break
            if "seq" in message:
                client.act("ack", cursors={"t": client.seq})

    await asyncio.to_thread(for_each, go_on, clients)
    assert [client.seq for client in clients] == [WHOLE_RUN] * DEAF

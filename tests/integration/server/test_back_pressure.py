"""The server bounds the cost of a client that reads slowly or not at all."""

import asyncio
import json
import socket
import struct
import time
from functools import partial
from typing import Any

import pytest
import websockets

from integration.server.conftest import SmallServer, StartSmallServer
from integration.server.raw_client import CLOSE, PING, TEXT, RawClient, client_frame, read_to_the_end

MIB = 1024
SMALL_BUFFER = 128 * 1024  # so that the kernel holds little of what the client does not read


@pytest.mark.parametrize("way", ["send", "frames"])
def test_client_that_never_reads__costs_little_and_is_closed_as_too_slow(
    start_small_server: StartSmallServer, way: str
) -> None:
    server = start_small_server(stall=1.5, cut=30, tick=0.1)
    before = server.stats()["rss"]
    with RawClient(server.port, f"/flood?{way}=1", receive_buffer=SMALL_BUFFER) as client:
        stats = server.wait_for(lambda stats: stats["disconnects"] != [], "the disconnect")
        assert stats["disconnects"] == [4408]
        assert stats["rss"] - before < 16 * MIB
        frames = client.frames_to_close()  # reading again, in time, it gets everything that was sent to it

    texts = [payload for opcode, payload in frames if opcode == TEXT]
    assert all(text == b"x" * 65536 for text in texts[:-1])
    assert len(texts) - 1 == stats["sent"] // 65536
    error = json.loads(texts[-1])
    assert (error["event_type"], error["code"]) == ("error", "too_slow")
    assert "resume" in error["message"]
    assert frames[-1] == (CLOSE, struct.pack("!H", 4408))


def test_client_that_does_not_read__is_still_heard(start_small_server: StartSmallServer) -> None:
    """It may want to stop what floods it."""
    server = start_small_server(stall=60)
    with RawClient(server.port, "/flood", receive_buffer=SMALL_BUFFER) as client:
        server.wait_for(lambda stats: stats["sent"] > 1_000_000, "a full buffer")
        client.send(client_frame(b"stop"))
        server.wait_for(lambda stats: stats["received"] == 1, "the message")


def test_client_that_never_reads__is_cut_after_its_time(start_small_server: StartSmallServer) -> None:
    server = start_small_server(stall=0.5, cut=0.5, tick=0.1)
    files = server.stats()["files"]
    with RawClient(server.port, "/flood", receive_buffer=SMALL_BUFFER):
        server.wait_for(lambda stats: stats["disconnects"] == [4408], "the disconnect")
        stats = server.wait_for(lambda stats: stats["files"] <= files, "the end of the TCP connection")
        assert stats["tasks"] <= 2


def test_client_that_reads_slowly__is_not_closed(start_small_server: StartSmallServer) -> None:
    server = start_small_server(stall=1)
    with RawClient(server.port, "/flood", receive_buffer=SMALL_BUFFER) as client:
        until = time.monotonic() + 4
        while time.monotonic() < until:
            assert client.frame()[0] in (TEXT, PING)
            time.sleep(0.1)
        assert server.stats()["disconnects"] == []


async def test_many_clients_that_never_read__cost_little_and_slow_nobody_down(
    start_small_server: StartSmallServer,
) -> None:
    """Twenty clients to which 20 MiB each are sent; the kernel's buffers are not the server's memory."""
    server = start_small_server(stall=3, cut=0.5, tick=0.1)
    before = (await asyncio.to_thread(server.stats))["rss"]
    clients = [RawClient(server.port, "/flood?mib=20&frames=1", receive_buffer=SMALL_BUFFER) for _ in range(20)]
    waits = []
    async with websockets.connect(f"{server.ws}/echo") as quick:
        until = time.monotonic() + 2
        while time.monotonic() < until:
            start = time.monotonic()
            await quick.send("there?")
            await asyncio.wait_for(quick.recv(), 10)
            waits.append(time.monotonic() - start)
        stats = await asyncio.to_thread(
            server.wait_for, lambda stats: stats["disconnects"].count(4408) == 20, "the disconnects"
        )
    assert stats["rss"] - before < 64 * MIB
    assert sorted(waits)[int(len(waits) * 0.99)] < 0.5
    for client in clients:
        client.socket.close()


def test_fast_client__gets_everything_through_a_full_buffer(small_server: SmallServer) -> None:
    with RawClient(small_server.port, "/flood?mib=64") as client:
        for _ in range(64 * 16):
            opcode, payload = client.frame()
            assert (opcode, len(payload)) == (TEXT, 65536)


def test_http_client_that_never_reads__costs_little_and_is_cut(start_small_server: StartSmallServer) -> None:
    server = start_small_server(stall=0.7)
    before = server.stats()["rss"]
    with socket.create_connection(("127.0.0.1", server.port)) as plain:
        plain.sendall(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        stats = server.wait_for(lambda stats: stats.get("endless") == "http.disconnect", "the end of the response")
        assert stats["rss"] - before < 16 * MIB
        assert stats["sent"] > 1024 * 1024
        with pytest.raises(ConnectionError):
            read_to_the_end(plain)


def has_disconnects(count: int, stats: dict[str, Any]) -> bool:
    return len(stats["disconnects"]) == count


def test_slow_clients_again_and_again__leave_nothing_behind(start_small_server: StartSmallServer) -> None:
    server = start_small_server(stall=0.3, cut=0.2, tick=0.1)
    base, resident = server.stats(), []
    for number in range(1, 5):
        clients = [RawClient(server.port, "/flood", receive_buffer=SMALL_BUFFER) for _ in range(10)]
        server.wait_for(partial(has_disconnects, 10 * number), "the disconnects")
        for client in clients:
            client.socket.close()
        stats = server.wait_for(
            lambda stats: stats["tasks"] <= base["tasks"] and stats["files"] <= base["files"], "the end of everything"
        )
        resident.append(stats["rss"])
    assert resident[-1] < resident[1] * 1.15


def test_idle_connection__costs_little(small_server: SmallServer) -> None:
    """Some 12 KiB; a plain Daphne has 24. What the application adds is its own affair."""
    cookies = "Cookie: sessionid=" + "x" * 32 + "\r\nUser-Agent: " + "y" * 120 + "\r\n"
    warm = [RawClient(small_server.port, "/echo", headers=cookies) for _ in range(100)]
    before = small_server.stats()["rss"]
    idle = [RawClient(small_server.port, "/echo", headers=cookies) for _ in range(500)]
    after = small_server.stats()["rss"]
    for client in warm + idle:
        client.socket.close()
    assert (after - before) / 500 < 20

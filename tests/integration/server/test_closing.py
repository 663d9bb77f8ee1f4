"""How WebSockets close, and what each side learns about it."""

import struct
import time

import pytest
import websockets

from integration.server.conftest import SmallServer, StartSmallServer
from integration.server.raw_client import CLOSE, PING, PONG, TEXT, RawClient, client_frame


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1008, 1011, 1012, 1013, 3000, 4000, 4401, 4408, 4999])
def test_close_code_of_the_application__reaches_the_client(small_server: SmallServer, code: int) -> None:
    with RawClient(small_server.port, f"/close?code={code}&reason=why%20%C3%A9") as client:
        assert client.frames_to_close() == [
            (TEXT, b"last words"),
            (CLOSE, struct.pack("!H", code) + "why é".encode()),
        ]
        client.send(client_frame(struct.pack("!H", code), CLOSE))
        assert client.ended()
    stats = small_server.wait_for(lambda stats: stats["disconnects"] != [], "the disconnect")
    assert stats["disconnects"] == [code]


def test_long_close_reason__is_cut_at_a_character(small_server: SmallServer) -> None:
    with RawClient(small_server.port, "/close?code=4000&reason=" + "%E2%82%AC" * 100) as client:
        reason = client.frames_to_close()[-1][1][2:]
    assert reason == ("€" * 41).encode()


@pytest.mark.parametrize("code", [1, 999, 1004, 1005, 1006, 1015, 2999, 5000])
def test_close_code_that_cannot_be_sent__is_the_applications_error(small_server: SmallServer, code: int) -> None:
    with RawClient(small_server.port, f"/close?code={code}") as client:
        assert client.close_code() == 1011
    assert f"{code} is not a code that a close frame may contain" in small_server.output()


def test_client_that_does_not_answer_a_close__is_cut(start_small_server: StartSmallServer) -> None:
    server = start_small_server(cut=0.5, tick=0.1)
    with RawClient(server.port, "/close?code=4000") as client:
        start = time.monotonic()
        server.wait_for(lambda stats: stats["disconnects"] == [4000], "the disconnect")  # it need not wait for the cut
        assert client.ended()
        assert 0.3 < time.monotonic() - start < 10


def test_client_that_says_goodbye_and_does_not_read__is_cut(start_small_server: StartSmallServer) -> None:
    """Twisted would wait for ever until everything is written."""
    server = start_small_server(cut=0.5, tick=0.1, stall=60)
    files = server.stats()["files"]
    with RawClient(server.port, "/flood", receive_buffer=65536) as client:
        server.wait_for(lambda stats: stats["sent"] > 1_000_000, "a full buffer")
        client.send(client_frame(struct.pack("!H", 1001), CLOSE))
        server.wait_for(lambda stats: stats["disconnects"] == [1001], "the disconnect")
        server.wait_for(lambda stats: stats["files"] <= files, "the end of the TCP connection")


def test_client_that_goes_without_a_word__is_noticed(small_server: SmallServer) -> None:
    with RawClient(small_server.port, "/echo"):
        pass
    small_server.wait_for(lambda stats: stats["disconnects"] == [1006], "the disconnect")


@pytest.mark.parametrize(
    ("path", "status"), [("/refuse", 403), ("/crash_early", 500), ("/echo?subprotocol=never-offered", 500)]
)
def test_refused_handshake__is_answered_with_a_status(small_server: SmallServer, path: str, status: int) -> None:
    with RawClient(small_server.port, path, handshake=False) as client:
        assert int(client.read_head().split()[1]) == status
        assert client.ended()


def test_application_that_does_not_answer__is_refused_with_503(start_small_server: StartSmallServer) -> None:
    server = start_small_server(handshake=0.3, tick=0.1)
    with RawClient(server.port, "/never", handshake=False) as client:
        assert int(client.read_head().split()[1]) == 503
    server.wait_for(lambda stats: stats["disconnects"] == [1006], "the disconnect")


@pytest.mark.parametrize(("path", "code"), [("/crash", 1011), ("/end", 1000)])
def test_application_that_is_over__closes_its_socket(small_server: SmallServer, path: str, code: int) -> None:
    with RawClient(small_server.port, path) as client:
        assert client.close_code() == code
    assert ("as the test wants it" in small_server.output()) == (code == 1011)


def test_application_that_does_not_end__is_cancelled(start_small_server: StartSmallServer) -> None:
    server = start_small_server(close_application=0.5, tick=0.1)
    with RawClient(server.port, "/stubborn"):
        pass
    server.wait_for(lambda stats: stats.get("cancelled") is True, "the cancellation")
    server.wait_for(lambda stats: stats["tasks"] <= 2, "its end")
    assert "did not end after its connection" in server.output()


def test_ping__is_answered(small_server: SmallServer) -> None:
    with RawClient(small_server.port, "/echo") as client:
        client.send(client_frame(b"payload", PING) + client_frame(b"", PING))
        assert [client.frame(), client.frame()] == [(PONG, b"payload"), (PONG, b"")]


def test_half_open_connection__is_found(start_small_server: StartSmallServer) -> None:
    """A client from which nothing comes is pinged, and then cut; one that answers pings lives on."""
    server = start_small_server(ping=0.3, silence=1.5, tick=0.1)
    with RawClient(server.port, "/echo") as dead, RawClient(server.port, "/echo") as alive:
        until = time.monotonic() + 3
        pings = 0
        while time.monotonic() < until:
            opcode, payload = alive.frame()
            assert opcode == PING
            alive.send(client_frame(payload, PONG))
            pings += 1
        assert 4 <= pings <= 11
        assert server.stats()["disconnects"] == [1006]
        frames = list(dead.frames())
        assert 2 <= len(frames) <= 6
        assert {opcode for opcode, _ in frames} == {PING}


def test_client_whose_application_does_not_read__is_not_taken_for_dead(start_small_server: StartSmallServer) -> None:
    """Its pongs wait in the socket, with everything else."""
    server = start_small_server(ping=0.2, silence=1, tick=0.1)
    with RawClient(server.port, "/busy?seconds=2") as client:
        client.send(client_frame(b"x") * 100)
        server.wait_for(lambda stats: stats["received"] == 100, "the messages")
        time.sleep(0.4)  # long after the next look at the clock, not too long for a client that was heard just now
        client.send(client_frame(b"x"))
        server.wait_for(lambda stats: stats["received"] == 101, "one more")


async def test_usual_client__closes_cleanly(small_server: SmallServer) -> None:
    async with websockets.connect(f"{small_server.ws}/echo?subprotocol=a", subprotocols=["b", "a"]) as client:  # type: ignore[list-item]
        assert client.subprotocol == "a"
        for message in ("text", "", b"bytes", b"", "x" * 1024 * 1024):
            await client.send(message)
            assert await client.recv() == message
    assert client.close_code == 1000

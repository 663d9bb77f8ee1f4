"""What a server does between SIGTERM and the exit of its process."""

import asyncio
import signal
import socket
import threading
import time
import urllib.error
from pathlib import Path

import pytest
import websockets

from integration.server.conftest import SmallServer, StartSmallServer
from integration.server.raw_client import CLOSE, TEXT, RawClient, client_frame, read_to_the_end
from servers.process import accepts_connections, wait_for


def readiness(server: SmallServer) -> int:
    try:
        server.get("/readyz")
    except urllib.error.HTTPError as error:
        return error.code
    return 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal__closes_every_socket_with_1012_and_ends_with_0(
    small_server: SmallServer, number: signal.Signals
) -> None:
    clients = [await websockets.connect(f"{small_server.ws}/echo") for _ in range(20)]
    small_server.signal(number)
    for client in clients:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await asyncio.wait_for(client.recv(), 20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
    assert await asyncio.to_thread(small_server.wait) == 0
    words = small_server.last_words()
    assert words["drained"] is True
    assert words["disconnects"] == [1012] * 20
    assert "Traceback" not in small_server.output()


def test_drain__keeps_answering_http_and_takes_no_websocket(start_small_server: StartSmallServer) -> None:
    server = start_small_server({"drain_seconds": 4})
    assert readiness(server) == 200
    with RawClient(server.port, "/echo") as client:
        server.signal(signal.SIGTERM)
        wait_for(lambda: readiness(server) == 503, 3.5, "not being ready")
        with RawClient(server.port, "/echo", handshake=False) as late:
            assert late.read_head().startswith(b"HTTP/1.1 503")
        client.send(client_frame(b"still here"))  # sockets live on until the application has drained
        assert client.frame() == (TEXT, b"still here")
        assert client.close_code() == 1012
        client.send(client_frame(b"\x03\xf4", CLOSE))
        assert client.ended()
    assert server.wait() == 0
    assert not accepts_connections(server.port)


def test_drain__closes_connections_that_are_kept_open(start_small_server: StartSmallServer) -> None:
    server = start_small_server({"drain_seconds": 4})
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"close" not in client.recv(65536).lower()
        server.signal(signal.SIGTERM)
        wait_for(lambda: readiness(server) == 503, 3.5, "not being ready")
        client.sendall(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"connection: close" in read_to_the_end(client).lower()
    assert server.wait() == 0


def test_second_signal__is_immediate(start_small_server: StartSmallServer) -> None:
    server = start_small_server({"drain_seconds": 600}, drain=600)
    with RawClient(server.port, "/echo"):
        server.signal(signal.SIGTERM)
        wait_for(lambda: readiness(server) == 503, 10, "not being ready")
        start = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.wait() == 128 + signal.SIGTERM
        assert time.monotonic() - start < 5


def test_request_under_way__is_finished_and_no_other_begun(small_server: SmallServer) -> None:
    answers: list[str] = []
    request = threading.Thread(target=lambda: answers.append(small_server.get("/slow?seconds=3")))
    request.start()
    small_server.wait_for(lambda stats: stats["tasks"] >= 2, "the request")
    small_server.signal(signal.SIGTERM)
    wait_for(lambda: not accepts_connections(small_server.port), 2.5, "the end of listening")
    assert small_server.is_running
    request.join(20)
    assert answers == ["slow"]
    assert small_server.wait() == 0
    assert small_server.last_words()["slow"] == "finished"


def test_application_that_does_not_end__is_cancelled(start_small_server: StartSmallServer) -> None:
    server = start_small_server(grace=0.5)
    with RawClient(server.port, "/stubborn"):
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    words = server.last_words()
    assert words["disconnects"] == [1012]
    assert words["cancelled"] is True


def test_client_that_does_not_answer__holds_nothing_up(start_small_server: StartSmallServer) -> None:
    server = start_small_server(cut=0.5, tick=0.1, grace=30)
    with RawClient(server.port, "/flood", receive_buffer=65536), RawClient(server.port, "/echo"):
        server.wait_for(lambda stats: stats["sent"] > 1_000_000, "a full buffer")
        start = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert time.monotonic() - start < 15
    assert server.last_words()["disconnects"] == [1012, 1012]


def test_handshake_under_way__is_refused(small_server: SmallServer) -> None:
    with RawClient(small_server.port, "/never", handshake=False) as client:
        small_server.wait_for(lambda stats: stats["tasks"] >= 2, "the handshake")
        small_server.signal(signal.SIGTERM)
        assert client.read_head().startswith(b"HTTP/1.1 503")
    assert small_server.wait() == 0


@pytest.mark.parametrize(
    ("options", "limits", "words"),
    [
        ({"drain_fails": True}, {}, "Draining failed"),
        ({"drain_seconds": 600}, {"drain": 0.3}, "was given up"),
    ],
    ids=["fails", "takes too long"],
)
def test_drain_that_goes_wrong__does_not_keep_the_server_alive(
    start_small_server: StartSmallServer, options: dict[str, float], limits: dict[str, float], words: str
) -> None:
    server = start_small_server(options, **limits)
    with RawClient(server.port, "/echo") as client:
        server.signal(signal.SIGTERM)
        assert client.close_code() == 1012
        client.send(client_frame(b"\x03\xf4", CLOSE))
    assert server.wait() == 0
    assert words in server.output()


def test_busy_thread__does_not_keep_the_process_alive(start_small_server: StartSmallServer) -> None:
    server = start_small_server({"busy_thread": True})
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert "Exiting although threads are still busy" in server.output()


def test_unix_socket__serves_and_is_not_for_everybody(tmp_path: Path, start_small_server: StartSmallServer) -> None:
    path = tmp_path / "socket"
    server = start_small_server({"unix": str(path)})
    assert path.stat().st_mode & 0o777 == 0o660
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(path))
        client.sendall(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 200")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(path))
        client.sendall(
            b"GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert client.recv(65536).startswith(b"HTTP/1.1 101")
        client.sendall(client_frame(b"hello"))
        assert client.recv(65536) == b"\x81\x05hello"
        server.signal(signal.SIGTERM)
        assert client.recv(65536) == b"\x88\x02\x03\xf4"
        client.sendall(client_frame(b"\x03\xf4", CLOSE))
    assert server.wait() == 0

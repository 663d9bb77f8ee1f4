"""HTTP beside the WebSockets."""

import http.client
import json
import socket
import urllib.error
import urllib.request

import pytest

from integration.server.conftest import SmallServer, StartSmallServer
from integration.server.raw_client import flood, read_to_the_end


def status_of(server: SmallServer, path: str) -> int:
    try:
        server.get(path)
    except urllib.error.HTTPError as error:
        return error.code
    return 200


def post(server: SmallServer, body: bytes, *, chunked: bool = False) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        if chunked:
            pieces = (body[at : at + 50_000] for at in range(0, len(body), 50_000))
            connection.request("POST", "/body", pieces, encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        else:
            connection.request("POST", "/body", body)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [0, 1, 8192, 100_000])
def test_body__reaches_the_application(start_small_server: StartSmallServer, size: int, chunked: bool) -> None:
    server = start_small_server(request_body=100_000)
    assert post(server, b"x" * size, chunked=chunked) == (200, b"%d" % size)


@pytest.mark.parametrize("chunked", [False, True])
def test_body_that_is_too_large__is_refused(start_small_server: StartSmallServer, chunked: bool) -> None:
    server = start_small_server(request_body=100_000)
    assert post(server, b"x" * 100_001, chunked=chunked) == (413, b"")


def test_endless_body__is_refused_and_not_kept(start_small_server: StartSmallServer) -> None:
    server = start_small_server(request_body=100_000, cut=0.5)
    before = server.stats()["rss"]
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000000\r\n\r\n")
        with pytest.raises(ConnectionError):
            flood(client)
    assert server.stats()["rss"] - before < 4096


def test_client_that_asks_first__is_not_told_to_go_on(start_small_server: StartSmallServer) -> None:
    server = start_small_server(request_body=1000)
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"POST /body HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 413")
        client.sendall(b"x" * 1001)
        assert client.recv(1000) == b""


@pytest.mark.parametrize("path", ["/crash", "/silent"])
def test_application_without_an_answer__is_a_500(small_server: SmallServer, path: str) -> None:
    assert status_of(small_server, path) == 500
    assert ("as the test wants it" in small_server.output()) == (path == "/crash")


def test_application_that_fails_in_its_answer__leaves_it_visibly_broken(small_server: SmallServer) -> None:
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        small_server.get("/crash_late")


def test_mount_point__is_not_the_clients_to_choose(small_server: SmallServer) -> None:
    request = urllib.request.Request(f"{small_server.url}/scope", headers={"Daphne-Root-Path": "//evil.example"})
    with urllib.request.urlopen(request, timeout=20) as response:
        assert json.load(response)["root_path"] == ""


@pytest.mark.parametrize("trusted", [False, True])
def test_forwarded_address__is_believed_only_when_told(start_small_server: StartSmallServer, trusted: bool) -> None:
    server = start_small_server({"proxy_headers": trusted})
    headers = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Port": "4711", "X-Forwarded-Proto": "https"}
    with urllib.request.urlopen(urllib.request.Request(f"{server.url}/scope", headers=headers), timeout=20) as response:
        scope = json.load(response)
    assert (scope["client"] == ["192.0.2.7", 4711]) == trusted
    assert (scope["scheme"] == "https") == trusted


def test_server_header__does_not_name_the_software(small_server: SmallServer) -> None:
    with urllib.request.urlopen(f"{small_server.url}/readyz", timeout=20) as response:
        assert "Server" not in response.headers


@pytest.mark.parametrize(
    "request_text",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n",
        b"GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /stats?\xe9 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x00\x01\x02\r\n\r\n",
        b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /stats HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
        b"GET /stats HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\nabc",
    ],
)
def test_broken_request__is_answered_and_never_a_traceback(small_server: SmallServer, request_text: bytes) -> None:
    with socket.create_connection(("127.0.0.1", small_server.port), timeout=20) as client:
        client.sendall(request_text)
        client.shutdown(socket.SHUT_WR)
        answer = read_to_the_end(client)
    assert not answer or 400 <= int(answer.split()[1]) < 500 or answer.startswith(b"HTTP/1.1 505")
    small_server.stats()
    assert "Traceback" not in small_server.output()

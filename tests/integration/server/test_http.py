"""HTTP beside the WebSockets."""

import http.client
import json
import resource
import socket
import time
import urllib.error
import urllib.request
from contextlib import suppress

import pytest

from integration.server.conftest import SmallServer, StartSmallServer
from integration.server.raw_client import TEXT, RawClient, client_frame, flood, read_to_the_end
from netra.server.limits import Limits
from servers.process import wait_for


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


# What takes too long, or too much


def exchange(server: SmallServer, data: bytes) -> bytes:
    """Everything that the server answers to these bytes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(data)
        return read_to_the_end(client)


HANDSHAKE = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"


@pytest.mark.parametrize("more", ["", HANDSHAKE.format(key="dGhlIHNhbXBsZSBub25jZQ==")], ids=["page", "WebSocket"])
@pytest.mark.parametrize(
    "headers",
    [
        "Cookie: " + "x" * 17_000,
        "".join(f"Cookie: c{n}={'x' * 1000}\r\n" for n in range(17)).rstrip(),
        "".join(f"X-{n}: y\r\n" for n in range(600)).rstrip(),
        "Cookie: " + "x" * 200_000,
    ],
    ids=["one of 17,000 bytes", "many of 1,000", "600 of them", "one of 200,000"],
)
def test_headers_that_are_too_large__are_answered_with_431_and_logged(
    start_small_server: StartSmallServer, more: str, headers: str
) -> None:
    server = start_small_server(cut=0.5)
    answer = exchange(server, f"GET /echo HTTP/1.1\r\nHost: a\r\n{more}{headers}\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert b"cookies" in answer
    assert "(431)" in server.output()
    exchange(server, f"GET /echo HTTP/1.1\r\nHost: a\r\n{more}{headers}\r\n\r\n".encode())
    assert server.output().count("(431)") == 1  # whoever sends them must not fill the log


def test_headers_of_16_000_bytes__are_let_through(small_server: SmallServer) -> None:
    request = urllib.request.Request(f"{small_server.url}/readyz", headers={"Cookie": "x" * 16_000})
    with urllib.request.urlopen(request, timeout=20) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ",
        b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\nGET / HT",
        b"GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nSec-WebSocket-Key: ",
    ],
    ids=["nothing", "half a head", "the second one", "half a handshake"],
)
def test_head_that_comes_too_slowly__is_refused(start_small_server: StartSmallServer, beginning: bytes) -> None:
    """However regularly its bytes come."""
    server = start_small_server(head=2, tick=0.1, cut=0.5)
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(beginning)
        answer = b""
        client.settimeout(0.2)
        while b"408" not in answer and time.monotonic() - began < 20:
            try:
                answer += client.recv(1000)
            except TimeoutError:
                if beginning:
                    client.sendall(b"x")
        assert b"HTTP/1.1 408 Request Timeout\r\n" in answer
        client.settimeout(20)
        assert read_to_the_end(client) == b""
    assert time.monotonic() - began >= 2
    assert "no complete request" in server.output()


@pytest.mark.parametrize("announced", [b"Content-Length: 100000", b"Transfer-Encoding: chunked"])
def test_body_that_comes_too_slowly__is_refused(start_small_server: StartSmallServer, announced: bytes) -> None:
    server = start_small_server(head=1, body_rate=100, tick=0.1, cut=0.5)
    with socket.create_connection(("127.0.0.1", server.port), timeout=0.2) as client:
        client.sendall(b"POST /body HTTP/1.1\r\nHost: a\r\n" + announced + b"\r\n\r\n")
        answer, began = b"", time.monotonic()
        while not answer and time.monotonic() - began < 20:
            client.sendall(b"1\r\nx\r\n")
            try:
                answer = client.recv(1000)
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_body_that_comes_slowly_enough__is_taken(start_small_server: StartSmallServer) -> None:
    server = start_small_server(head=1, body_rate=100, tick=0.1)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(b"POST /body HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1500\r\n\r\n")
        for _ in range(15):
            client.sendall(b"x" * 100)
            time.sleep(0.2)
        assert read_to_the_end(client).endswith(b"1500")


def test_answer_that_takes_long__is_waited_for(start_small_server: StartSmallServer) -> None:
    server = start_small_server(head=0.5, tick=0.1)
    assert server.get("/slow?seconds=2") == "slow"


def test_connection_between_two_requests__is_kept(start_small_server: StartSmallServer) -> None:
    server = start_small_server(head=0.5, tick=0.1)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    for pause in (1.5, 0):
        connection.request("GET", "/readyz")
        assert connection.getresponse().read() == b""
        time.sleep(pause)
    connection.close()


def test_connections_without_a_request__make_room_for_those_with_one(start_small_server: StartSmallServer) -> None:
    server = start_small_server(connections=20, head=60)
    lurkers = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(40)]
    for number, each in enumerate(lurkers):
        with suppress(OSError):  # cut already
            each.sendall(b"GET / HTTP/1.1\r\nX-Slow: "[: number % 20])
    for _ in range(30):
        assert server.get("/readyz") == ""
    assert "limit on open files" in server.output()
    assert server.stats()["files"] < 60
    for each in lurkers:
        each.close()


def test_more_websockets_than_files__are_refused_and_the_others_stay(start_small_server: StartSmallServer) -> None:
    server = start_small_server(connections=10)
    clients = [RawClient(server.port, "/echo") for _ in range(10)]
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as refused:
        assert read_to_the_end(refused) == b""
    for client in clients:
        client.send(client_frame(b"here"))
        assert client.frame() == (TEXT, b"here")
    clients[0].socket.close()
    wait_for(lambda: status_or_none(server) == 200, 20, "room for a request")
    for client in clients[1:]:
        client.socket.close()


def status_or_none(server: SmallServer) -> int | None:
    try:
        return status_of(server, "/readyz")
    except OSError:
        return None


def test_files_of_the_process__leave_room_for_what_is_no_socket(tmp_path) -> None:
    assert Limits().connections <= resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 64


# Headers that are no text, or not what they should be


GARBAGE = [
    b"\xff",
    b"\xff\xfe, 1.2.3.4",
    b"",
    b",",
    b"x" * 9000,
    b"1.2.3.4\t",
    b"'\"<script>",
    "ünï".encode(),
    b"\x85",
    b"-1",
]
NAMES = [
    *("Host", "Origin", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "Forwarded"),
    *("Cookie", "Authorization", "traceparent", "tracestate", "User-Agent", "Referer", "Accept", "Content-Type"),
    *("Daphne-Root-Path", "X-Request-ID", "If-None-Match", "If-Modified-Since", "Range", "Expect", "Upgrade", "TE"),
    *("Content-Encoding", "Accept-Encoding", "Accept-Language", "X-CSRFToken", "Connection", "Sec-WebSocket-Protocol"),
    *("Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Extensions"),
]


@pytest.mark.parametrize("proxy_headers", [False, True])
def test_garbage_in_any_header__is_never_our_fault(start_small_server: StartSmallServer, proxy_headers: bool) -> None:
    server = start_small_server({"proxy_headers": proxy_headers})
    for name in NAMES:
        for value in GARBAGE:
            for more in (b"", HANDSHAKE.format(key="dGhlIHNhbXBsZSBub25jZQ==").encode()):
                answer = first_line(
                    server, b"GET /scope HTTP/1.1\r\n" + more + name.encode() + b": " + value + b"\r\n\r\n"
                )
                assert not answer or int(answer.split()[1]) < 500, (name, value, more, answer)
    assert "Traceback" not in server.output()


def first_line(server: SmallServer, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        return client.recv(1000).partition(b"\r\n")[0]


@pytest.mark.parametrize(
    ("headers", "client", "scheme"),
    [
        ({"X-Forwarded-For": "192.0.2.7, 10.0.0.1", "X-Forwarded-Proto": "HTTPS"}, ["192.0.2.7", 0], "https"),
        (
            {"X-Forwarded-For": "[2001:db8::1]:4711", "X-Forwarded-Proto": "https, http"},
            ["[2001:db8::1]:4711", 0],
            "https",
        ),
        (
            {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Port": "443a", "X-Forwarded-Proto": "gopher"},
            ["1.2.3.4", 0],
            "http",
        ),
        ({"X-Forwarded-For": "<b>", "X-Forwarded-Proto": "https"}, None, "http"),
    ],
)
def test_forwarded_headers__what_cannot_be_true_is_not_believed(
    start_small_server: StartSmallServer, headers: dict[str, str], client: list[object] | None, scheme: str
) -> None:
    server = start_small_server({"proxy_headers": True})
    with urllib.request.urlopen(urllib.request.Request(f"{server.url}/scope", headers=headers), timeout=20) as response:
        scope = json.load(response)
    assert scope["scheme"] == scheme
    assert scope["client"] == client if client else scope["client"][0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("sent", "root_path"),
    [("/netra", "/netra"), ("/a%20b/c", "/a b/c"), ("//evil.example", ""), ("netra", ""), ("https://evil.example", "")],
)
def test_mount_point__is_a_path_or_nothing(small_server: SmallServer, sent: str, root_path: str) -> None:
    server = small_server
    request = urllib.request.Request(f"{server.url}/scope", headers={"Daphne-Root-Path": sent})
    with urllib.request.urlopen(request, timeout=20) as response:
        assert json.load(response)["root_path"] == root_path


def test_mount_point__is_not_asked_for(start_small_server: StartSmallServer) -> None:
    server = start_small_server({"root_path_header": False})
    request = urllib.request.Request(f"{server.url}/scope", headers={"Daphne-Root-Path": "/netra"})
    with urllib.request.urlopen(request, timeout=20) as response:
        assert json.load(response)["root_path"] == ""


def test_answer_without_a_status__is_a_500(small_server: SmallServer) -> None:
    assert status_of(small_server, "/no_status") == 500
    assert "status code is required" in small_server.output()

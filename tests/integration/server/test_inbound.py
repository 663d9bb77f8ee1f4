"""The server bounds the cost of a client that sends too much, or invalid data."""

import json
from contextlib import suppress

import pytest
import websockets

from integration.server.conftest import SmallServer, StartSmallServer
from integration.server.raw_client import BINARY, CLOSE, PING, PONG, TEXT, RawClient, client_frame, flood, frame_length
from servers.process_probe import cpu_seconds

MIB = 1024  # of the stats' KiB
KERNEL = 16 * 1024 * 1024  # bytes that the buffers of both sockets may hold at the most


def test_flood_to_a_busy_application__stops_at_the_socket(small_server: SmallServer) -> None:
    before = small_server.stats()["rss"]
    with RawClient(small_server.port, "/busy?seconds=600") as client:
        sent = client.send_until_blocked(client_frame(b"x" * 60_000), 256 * 1024 * 1024)
        stats = small_server.stats()
    assert sent < KERNEL
    assert stats["rss"] - before < 8 * MIB


def test_flood_of_tiny_messages_to_a_busy_application__stops_at_the_socket(small_server: SmallServer) -> None:
    before = small_server.stats()["rss"]
    with RawClient(small_server.port, "/busy?seconds=600") as client:
        client.send_until_blocked(client_frame(b"x") * 10_000, 64 * 1024 * 1024)
        stats = small_server.stats()
    assert stats["unread"] == 65
    assert stats["rss"] - before < 8 * MIB


def test_application_that_reads_again__gets_every_message(small_server: SmallServer) -> None:
    """Tiny ones, big ones and fragments, through a paused socket, and the close behind them."""
    messages = [client_frame(b"%d" % n) for n in range(2000)]
    messages += [client_frame(b"x" * 100_000), client_frame(b"y" * 1000, BINARY)] * 10
    messages += [client_frame(b"a", final=False) + client_frame(b"b", 0, final=False) + client_frame(b"c", 0)] * 500
    with RawClient(small_server.port, "/busy?seconds=1") as client:
        client.send(b"".join(messages))
        client.send(client_frame(b"\x03\xe8", CLOSE))
        stats = small_server.wait_for(lambda stats: stats["disconnects"] != [], "the close")
    assert stats["received"] == len(messages)
    assert stats["disconnects"] == [1000]


def test_empty_fragments__cost_no_memory(start_small_server: StartSmallServer) -> None:
    """A message that never ends and never grows: nothing of it may be kept."""
    small_server = start_small_server(fragments=1_000_000)
    before = small_server.stats()["rss"]
    with RawClient(small_server.port, "/echo") as client:
        client.send(client_frame(b"", final=False))
        for _ in range(100):
            client.send(client_frame(b"", 0, final=False) * 5000)
        client.send(client_frame(b"end", 0))
        assert client.frame() == (TEXT, b"end")
        assert small_server.stats()["rss"] - before < 4 * MIB


def test_message_in_tiny_fragments__costs_its_size(small_server: SmallServer) -> None:
    before = small_server.stats()["rss"]
    with RawClient(small_server.port, "/echo") as client:
        client.send(client_frame(b"", final=False) + client_frame(b"x", 0, final=False) * 300_000)
        small_server.stats()
        assert small_server.stats()["rss"] - before < 6 * MIB


def test_pings_of_a_client_that_does_not_read__are_not_answered_without_end(
    start_small_server: StartSmallServer,
) -> None:
    server = start_small_server(stall=60, fragments=1_000_000_000)
    before = server.stats()["rss"]
    with RawClient(server.port, "/echo", receive_buffer=65536) as client:
        client.send_until_blocked(client_frame(b"p" * 125, PING) * 500, 64 * 1024 * 1024)
        assert server.stats()["rss"] - before < 8 * MIB
        client.send(client_frame(b"last", PING))
        while client.frame() != (PONG, b"last"):
            pass


FLOODS = {
    "pings": client_frame(b"", PING),
    "pongs": client_frame(b"", PONG),
    "empty fragments": client_frame(b"", 0, final=False),
    "fragments": client_frame(b"x", 0, final=False),
    "pings inside a message": client_frame(b"x", 0, final=False) + client_frame(b"p", PING),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_flood_of_frames_that_are_no_message__is_closed_as_flooding(small_server: SmallServer, kind: str) -> None:
    with RawClient(small_server.port, "/echo") as client, RawClient(small_server.port, "/echo") as other:
        client.send(client_frame(b"begin", final=False))
        client.send(FLOODS[kind] * 3000)
        texts = []
        while (frame := client.frame())[0] != CLOSE:
            texts += [frame[1]] if frame[0] == TEXT else []
        assert frame[1][:2] == (4429).to_bytes(2, "big")
        assert [(json.loads(text)["code"], json.loads(text)["retry_after_ms"]) for text in texts] == [
            ("flooding", 5000)
        ]
        other.send(client_frame(b"still here"))
        assert other.frame() == (TEXT, b"still here")
    small_server.wait_for(lambda stats: stats["disconnects"] != [], "the close")


def test_messages_in_many_fragments_and_a_ping_each__are_let_through(small_server: SmallServer) -> None:
    message = (
        client_frame(b"a", final=False) + client_frame(b"p", PING) + client_frame(b"b", 0) + client_frame(b"", PONG)
    )
    with RawClient(small_server.port, "/echo") as client:
        client.send(message * 90)
        answers = [client.frame() for _ in range(180)]
    assert answers.count((TEXT, b"ab")) == 90
    assert answers.count((PONG, b"p")) >= 1


def test_flood__goes_on_after_its_close__and_costs_nothing(start_small_server: StartSmallServer) -> None:
    """Until the connection is cut, what comes is thrown away unread."""
    server = start_small_server(cut=2)
    with RawClient(server.port, "/echo") as client:
        before = cpu_seconds(server)
        sent = 0
        with suppress(OSError):
            while sent < 10_000_000:
                client.send(FLOODS["empty fragments"] * 10_000)
                sent += 10_000
        assert cpu_seconds(server) - before < 1 + sent * 3e-7  # each frame of them cost ten times as much


def test_data_before_the_accept__is_bounded(small_server: SmallServer) -> None:
    before = small_server.stats()["rss"]
    with RawClient(small_server.port, "/never", handshake=False) as client:
        small_server.wait_for(lambda stats: stats["tasks"] >= 2, "the application")
        sent = client.send_until_blocked(client_frame(b"x" * 1000), 64 * 1024 * 1024)
        assert sent < KERNEL
        assert small_server.stats()["rss"] - before < 8 * MIB


def test_data_before_the_accept__is_read_after_it(small_server: SmallServer) -> None:
    """It is against the rules, and harmless."""
    with RawClient(small_server.port, "/late?seconds=1", handshake=False) as client:
        small_server.wait_for(lambda stats: stats["tasks"] >= 2, "the application")
        for number in range(100):
            client.send(client_frame(b"%d" % number + b"x" * 1000))
        assert client.read_head().startswith(b"HTTP/1.1 101")
        for number in range(100):
            assert client.frame() == (TEXT, b"%d" % number + b"x" * 1000)


def test_second_handshake_inside_the_first__is_data(small_server: SmallServer) -> None:
    with RawClient(small_server.port, "/late?seconds=1", handshake=False) as client:
        small_server.wait_for(lambda stats: stats["tasks"] >= 2, "the application")
        client.send(b"GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.read_head().startswith(b"HTTP/1.1 101")
        assert client.close_code() == 1002


def test_data_after_a_close__is_thrown_away(small_server: SmallServer) -> None:
    """The server reads on, for the client's close frame is somewhere behind it."""
    before = small_server.stats()["rss"]
    with RawClient(small_server.port, "/close?code=4000") as client:
        assert client.close_code() == 4000
        client.send(client_frame(b"x" * 50_000) * 1000)
        client.send(client_frame(b"\x0f\xa0", CLOSE))
        assert client.ended()
    stats = small_server.stats()
    assert stats["received"] == 0
    assert stats["rss"] - before < 8 * MIB


# --- what a WebSocket may not say, and the code that tells the client so

TOO_BIG = bytes([0x81]) + frame_length(1024 * 1024 + 1) + b"\0\0\0\0"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(TOO_BIG + b"x" * (1024 * 1024 + 1), 1009, id="message too big"),
        pytest.param(TOO_BIG, 1009, id="announced too big, nothing sent yet"),
        pytest.param(
            client_frame(b"x" * 700_000, final=False) + client_frame(b"x" * 700_000, 0), 1009, id="fragments too big"
        ),
        pytest.param(client_frame(b"\xff"), 1007, id="not UTF-8"),
        pytest.param(client_frame(b"\xed\xa0\x80"), 1007, id="surrogate"),
        pytest.param(client_frame(b"a\xc3", final=False) + client_frame(b"z", 0), 1007, id="half a character"),
        pytest.param(client_frame(b"x", mask=False), 1002, id="unmasked"),
        pytest.param(client_frame(b"x", rsv=4), 1002, id="compressed"),
        pytest.param(client_frame(b"x", 3), 1002, id="reserved opcode"),
        pytest.param(client_frame(b"x", 0), 1002, id="continuation of nothing"),
        pytest.param(client_frame(b"x" * 126, PING), 1002, id="long ping"),
        pytest.param(client_frame(b"\x03", CLOSE), 1002, id="half a close code"),
        pytest.param(client_frame(b"\x03\xed", CLOSE), 1002, id="close code 1005"),
    ],
)
def test_broken_frame__is_answered_with_its_close_code(small_server: SmallServer, data: bytes, code: int) -> None:
    with RawClient(small_server.port, "/echo") as client:
        client.send(data)
        assert client.close_code() == code
        stats = small_server.wait_for(lambda stats: stats["disconnects"] != [], "the disconnect")
    assert stats["disconnects"] == [code]
    assert stats["received"] == 0
    assert "Traceback" not in small_server.output()


def test_character_cut_by_fragments__is_whole_again(small_server: SmallServer) -> None:
    with RawClient(small_server.port, "/echo") as client:
        client.send(client_frame(b"a\xc3", final=False) + client_frame(b"\xa9", 0))
        assert client.frame() == (TEXT, "aé".encode())


def test_client_that_goes_on_sending_a_message_too_big__is_cut(start_small_server: StartSmallServer) -> None:
    server = start_small_server(cut=0.5, tick=0.1)
    before = server.stats()["rss"]
    with RawClient(server.port, "/echo") as client:
        client.send(bytes([0x81]) + frame_length(1 << 40) + b"\0\0\0\0")
        with pytest.raises(ConnectionError):
            flood(client.socket)
    assert server.stats()["rss"] - before < 8 * MIB


async def test_compression__is_never_negotiated(small_server: SmallServer) -> None:
    async with websockets.connect(f"{small_server.ws}/echo", compression="deflate") as client:
        assert client.response is not None
        assert "Sec-WebSocket-Extensions" not in client.response.headers


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8000.evil.example", "http://127.0.0.1:99999999", "", "evil"])
def test_origin_that_cannot_be_read__is_refused_like_a_foreign_one(small_server: SmallServer, origin: str) -> None:
    with RawClient(small_server.port, "/echo", headers=f"Origin: {origin}\r\n", handshake=False) as client:
        assert client.read_head().split()[1] == b"403"


@pytest.mark.parametrize(
    ("sent", "name", "value"),
    [
        ("Origin: \t http://localhost \t", "origin", "http://localhost"),
        ("Origin: http://localhost\xa0", "origin", "http://localhost\xa0"),
        ("Origin: \xa0http://localhost", "origin", "\xa0http://localhost"),
        ("Authorization: Bearer x\xa0", "authorization", "Bearer x\xa0"),
        ("Cookie: name=\xc3\x84\xa0; sessionid=k\xa0", "cookie", "name=\xc3\x84\xa0; sessionid=k\xa0"),
    ],
)
def test_headers__arrive_as_they_were_sent(small_server: SmallServer, sent: str, name: str, value: str) -> None:
    """Blanks around a value are space and tab, whatever Python's text methods think."""
    with RawClient(small_server.port, "/headers", headers=f"{sent}\r\n", handshake=False) as client:
        if client.read_head().split()[1] == b"403":
            assert name == "origin"  # Autobahn has refused what is none
            return
        opcode, payload = client.frame()
    assert opcode == TEXT
    ours = [pair for pair in json.loads(payload) if pair[0] in ("origin", "authorization", "cookie")]
    assert ours == [[name, value]]


@pytest.mark.parametrize("header", ["Origin: http://localhost\x85", "Cookie: a=\x85Origin: http://localhost"])
def test_headers__with_other_ends_of_lines_are_refused(small_server: SmallServer, header: str) -> None:
    with RawClient(small_server.port, "/headers", headers=f"{header}\r\n", handshake=False) as client:
        assert client.read_head().split()[1] == b"400"


@pytest.mark.parametrize(
    "headers",
    [
        "Sec-WebSocket-Protocol: caf\xe9\r\n",
        "Sec-WebSocket-Protocol: a, a\r\n",
        "Origin: \xe9\r\n",
        "Origin: not an origin\r\n",
        "X-Some: \xe9\xff\r\n",
        "Cookie: caf\xe9\r\n",
        "Sec-WebSocket-Extensions: ;;;=,\r\n",
        "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99\r\n",
        "Sec-WebSocket-Version: 12\r\n",
        "Content-Length: 5\r\n",
        "X" * 10_000 + ": y\r\n",
        "X: y\r\n" * 400,
    ],
)
def test_odd_handshake__is_answered_and_never_a_traceback(small_server: SmallServer, headers: str) -> None:
    with RawClient(small_server.port, "/echo", headers=headers, handshake=False) as client:
        if headers.startswith("Content-Length"):
            client.send(b"12345")
        status = int(client.read_head().split()[1])
    assert status == 101 or 400 <= status < 500
    small_server.stats()
    assert "Traceback" not in small_server.output()
    assert "ERROR" not in small_server.output()

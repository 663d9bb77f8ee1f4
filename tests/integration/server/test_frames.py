"""The ASGI extension `netra.frames`: what is on the wire."""

import json
from typing import Any

import pytest

from integration.server.conftest import SmallServer, StartSmallServer
from integration.server.raw_client import TEXT, RawClient, client_frame

TEXTS: list[tuple[str, int]] = [
    ("", 0),
    ("x", 1),
    ("x", 125),
    ("x", 126),
    ("x", 65535),
    ("x", 65536),
    ("x", 300_000),
    ("é", 63),  # 126 bytes
    ("€", 21845),  # 65,535 bytes
    ("😀", 20_000),
    ("\0", 5),
]


def ask(client: RawClient, texts: list[tuple[str, int]], **more: Any) -> None:
    client.send(client_frame(json.dumps({"texts": texts, **more}).encode()))


@pytest.mark.parametrize("payload", [False, True], ids=["texts", "payload"])
def test_frames__each_text_is_a_valid_frame_of_its_own(small_server: SmallServer, payload: bool) -> None:
    with RawClient(small_server.port, "/frames") as client:
        ask(client, TEXTS, payload=payload)
        for piece, count in TEXTS:
            assert client.frame() == (TEXT, (piece * count).encode())


def test_frames__more_than_a_mebibyte_arrives(small_server: SmallServer) -> None:
    """What a client may send is bounded, what it gets is not."""
    with RawClient(small_server.port, "/frames") as client:
        ask(client, [("x", 3_000_000), ("y", 1)])
        assert client.frame() == (TEXT, b"x" * 3_000_000)
        assert client.frame() == (TEXT, b"y")


@pytest.mark.parametrize(("size", "count"), [(1000, 20_000), (300_000, 60)], ids=["small", "more than one write"])
def test_frames__written_at_once__arrive_in_order_however_slowly_they_are_taken(
    start_small_server: StartSmallServer, size: int, count: int
) -> None:
    """What the kernel does not take waits, and nothing that is written later passes it."""
    server = start_small_server(stall=60)
    with RawClient(server.port, f"/numbers?size={size}&count={count}", receive_buffer=4096) as client:
        client.send(client_frame(b"go"))
        server.wait_for(lambda stats: stats.get("waited", False), "a full socket")
        frames = [client.frame() for _ in range(count)]
    assert [int(payload[-10:]) for _, payload in frames] == list(range(count))


def test_frames__none_is_nothing(small_server: SmallServer) -> None:
    with RawClient(small_server.port, "/frames") as client:
        ask(client, [])
        ask(client, [("after", 1)])
        assert client.frame() == (TEXT, b"after")


def test_frames__lone_surrogate_is_the_applications_error(small_server: SmallServer) -> None:
    with RawClient(small_server.port, "/frames") as client:
        client.send(client_frame(b'{"texts": [["\\ud800", 1]]}'))
        assert client.close_code() == 1011
    assert "UnicodeEncodeError" in small_server.output()

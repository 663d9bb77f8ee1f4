"""Frames that nobody should send, to a real Daphne: each is answered, none leaves a traceback, the server lives on."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import websockets
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from websockets.sync.client import ClientConnection, connect

from integration.server.raw_client import CLOSE, TEXT, RawClient, client_frame
from servers.fixtures import TEST_KEY
from servers.netra import Installation, NetraServer
from websocket_core.wire import actions

KINDS = [
    "",
    "{",
    "nonsense",
    "[]",
    "3",
    "null",
    '"text"',
    "[" * 10_000,
    '{"action": "ping", "payload": NaN}',
    '{"action": "ping", "payload": ' + "[" * 5000 + "]" * 5000 + "}",
    "{}",
    '{"action": 7}',
    '{"action": "fly"}',
    '{"action": "start_agent"}',
    '{"action": "start_agent", "agent_type": 5}',
    '{"action": "start_agent", "agent_type": "test", "thread_id": "a b"}',
    '{"action": "start_agent", "agent_type": "test", "input": "\\ud800"}',
    '{"action": "start_agent", "agent_type": "test", "input": {"a": "\\u0000"}}',
    '{"action": "stop_agent", "run_id": null}',
    '{"action": "resume", "cursors": {"a": true}}',
    '{"action": "resume", "cursors": {"a": 1.0}}',
    '{"action": "resume", "cursors": {"a": -1}}',
    '{"action": "resume", "cursors": {}}',
    '{"action": "sync", "limit": 1000}',
    '{"action": "watch", "threads": "some"}',
    '{"action": "ack", "cursors": {"a": "3"}}',
    '{"action": "ping", "request_id": 5}',
]


class Target:
    """A server under fire.

    Attributes:
        server: the process.
        headers: what lets one user in.
    """

    def __init__(self, server: NetraServer) -> None:
        self.server = server

    @cached_property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.server.installation.token('105945141827451681156')}"}

    def is_quiet(self) -> bool:
        """Whether the log has no traceback."""
        log = self.server.output()
        return "Traceback" not in log and "exc_type" not in log


@pytest.fixture(scope="module", params=["daphne", "serve"])
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path):
    folder = tmp_path_factory.mktemp("malformed") / "data"
    shutil.copytree(migrated_sqlite, folder)
    env = {"SECRET_KEY": TEST_KEY, "NETRA_ACTIONS_PER_SECOND": "0", "NETRA_STARTS_PER_MINUTE": "0"}
    server = Installation(folder, env).server(request.param)
    server.start()
    yield Target(server)
    server.end()


async def test_malformed__each_answered__no_traceback__socket_usable(target: Target) -> None:
    dice = random.Random(200)
    frames = [KINDS[number % len(KINDS)] for number in range(200)]
    dice.shuffle(frames)
    async with (
        websockets.connect(target.server.ws_url, additional_headers=target.headers, proxy=None) as socket,
        asyncio.timeout(60),
    ):
        for frame in frames:
            await socket.send(frame)
            answer = json.loads(await socket.recv())
            assert answer["event_type"] == "error", (frame[:60], answer)
            assert answer["code"] in ("invalid_json", "invalid_action", "unknown_action"), answer
            assert answer["message"]
        await socket.send('{"action": "ping", "payload": "still here"}')
        assert json.loads(await socket.recv())["payload"] == "still here"
    assert target.is_quiet()


@pytest.mark.parametrize(
    "offer", ["permessage-deflate", "permessage-deflate; client_max_window_bits=15; server_no_context_takeover"]
)
def test_compression__is_never_negotiated(target: Target, offer) -> None:
    """A small frame that unpacks to a large one would pass every bound on the way in."""
    headers = {**target.headers, "Sec-WebSocket-Extensions": offer}
    with RawClient(target.server.port, "/ws", headers=_lines(headers)) as client:
        assert client.head.startswith(b"HTTP/1.1 101")
        assert b"sec-websocket-extensions" not in client.head.lower()
        client.send(client_frame(b'{"action": "ping"}'))
        assert json.loads(client.frame()[1])["event_type"] == "pong"
        client.send(client_frame(b"\xaa\x56\x4a\x4c\x2e\xc9\xcc\xcf\x53\xb2", rsv=4))
        assert [opcode for opcode, _ in client.frames()] in ([CLOSE], [])  # plain Daphne cuts the connection
    assert target.is_quiet()


# --- whatever a machine thinks of

FUZZ = settings(
    max_examples=120,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
FIELDS = sorted({field for kind in actions.ACTIONS.values() for field in kind.__struct_fields__})
messages = st.fixed_dictionaries(
    {"action": st.sampled_from(sorted(actions.ACTIONS)) | values},
    optional={field: values | st.sampled_from(["test", "t", "*", "cancel"]) for field in FIELDS},
)
KNOWN = {
    "invalid_json",
    "invalid_action",
    "unknown_action",
    "unknown_agent",
    "not_found",
    "unauthenticated",
    "invalid_cursor",
    "run_finished",
    "run_limit",
    "too_large",
}


def test_any_text__is_answered_and_the_socket_stays_usable(target: Target) -> None:
    with connect(target.server.ws_url, additional_headers=target.headers, proxy=None) as socket:

        @FUZZ
        @given(st.text(max_size=200) | messages.map(json.dumps) | values.map(json.dumps))
        def attack(text: str) -> None:
            socket.send(text)
            for frame in _until_pong(socket):
                assert frame["event_type"]
                if frame["event_type"] == "error":
                    assert frame["code"] in KNOWN, (text, frame)
                    assert "incident" not in frame

        attack()
    assert target.is_quiet()


def test_any_bytes__leave_the_server_whole(target: Target) -> None:
    """Broken framing, at any place: the transport ends that connection, and nobody else's."""
    lengths = st.sampled_from([0, 1, 125, 126, 127, 65535, 65536])
    frames = st.builds(
        client_frame,
        st.binary(max_size=40) | lengths.map(bytes),
        st.integers(0, 15),
        final=st.booleans(),
        mask=st.booleans(),
        rsv=st.integers(0, 7),
    )
    with connect(target.server.ws_url, additional_headers=target.headers, proxy=None) as bystander:

        @settings(FUZZ, max_examples=60)
        @given(st.lists(frames | st.binary(max_size=30), max_size=6).map(b"".join))
        def attack(data: bytes) -> None:
            headers = _lines(target.headers)
            with RawClient(target.server.port, "/ws", headers=headers) as client, suppress(ConnectionError):
                client.send(data + client_frame(b'{"action": "ping"}', TEXT) + client_frame(b"\x03\xe8", CLOSE))
            assert _until_pong(bystander) == []

        attack()
    assert target.is_quiet()


def _lines(headers: dict[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())


def _until_pong(socket: ClientConnection) -> list[dict[str, Any]]:
    """Everything that comes before the answer to a ping of our own."""
    socket.send('{"action": "ping", "payload": "netra-test-end"}')
    found: list[dict[str, Any]] = []
    while (frame := json.loads(socket.recv(30))).get("payload") != "netra-test-end":
        found.append(frame)
    return found

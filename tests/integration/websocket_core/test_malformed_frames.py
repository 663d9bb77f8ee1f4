"""200 malformed frames to a real Daphne: each is answered, none leaves a traceback, the socket stays usable."""

import asyncio
import json
import random

import pytest
import websockets

from servers.fixtures import StartServer

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


@pytest.mark.parametrize("kind", ["daphne", "serve"])
async def test_malformed__each_answered__no_traceback__socket_usable(start_server: StartServer, kind) -> None:
    server = start_server(kind)
    token = await asyncio.to_thread(server.installation.token, "105945141827451681156")
    dice = random.Random(200)
    frames = [KINDS[number % len(KINDS)] for number in range(200)]
    dice.shuffle(frames)
    headers = {"Authorization": f"Bearer {token}"}
    async with websockets.connect(server.ws_url, additional_headers=headers) as socket, asyncio.timeout(60):
        for frame in frames:
            await socket.send(frame)
            answer = json.loads(await socket.recv())
            assert answer["event_type"] == "error", (frame[:60], answer)
            assert answer["code"] in ("invalid_json", "invalid_action", "unknown_action", "rate_limited"), answer
            assert answer["message"]
            await asyncio.sleep(0.02)  # the pace that every user has
        await asyncio.sleep(0.5)
        await socket.send('{"action": "ping", "payload": "still here"}')
        assert json.loads(await socket.recv())["payload"] == "still here"
    assert "Traceback" not in server.output()
    assert "exc_type" not in server.output()

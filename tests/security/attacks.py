"""Attacks of one user that try to slow a server down, or to fill its memory, all at once.

    python tests/security/attacks.py http://127.0.0.1:8000 TOKEN SECONDS [NAME …]

runs the attacks (all, or those named) for SECONDS seconds, with more connections than a user may have, and prints
one line of JSON with the number of successes of each. It exits by itself.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import secrets
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import websockets
from websockets.asyncio.client import ClientConnection

Attack = Callable[["Target"], Awaitable[None]]
ATTACKS: dict[str, tuple[Attack, int]] = {}
"""Each attack, and how many play it side by side: 20 WebSockets are allowed, and some more are tried."""

HEAVY = {
    "lists": "[" + "[]," * 21_000 + "[]]",
    "objects": "[" + "{}," * 21_000 + "{}]",
    "floats": "[" + "1e1," * 15_000 + "1]",
    "deep": "[" + ",".join(["[" * 400 + "]" * 400] * 78) + "]",
    "nul": '["\\u0000",' + "[]," * 20_000 + "[]]",
    "nan": "[" + "[]," * 20_000 + "NaN]",
    "surrogates": "[" + '"\\ud83d",' * 7_000 + "1]",
    "digits": "[" + ",".join(["9" * 4000] * 15) + "]",
    "escapes": '"' + "\\u0001" * 10_000 + '"',
}


@dataclass
class Target:
    """The attacked server, and the counts of what was tried."""

    url: str
    token: str
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 80

    def connect(self) -> websockets.connect:
        return websockets.connect(
            self.url.replace("http", "ws", 1) + "/ws",
            additional_headers={"Authorization": f"Bearer {self.token}"},
            compression=None,
            max_size=None,
            ping_interval=None,
            open_timeout=30,
            close_timeout=1,
        )

    async def raw(self, data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection on which these bytes have been sent."""
        reader, writer = await asyncio.open_connection(*self.address)
        writer.write(data)
        return reader, writer

    def head(self, method: str, path: str, *more: str) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {self.token}", *more, "", ""]
        return "\r\n".join(lines).encode("latin-1")


def attack(name: str, *, players: int = 1) -> Callable[[Attack], Attack]:
    def add(function: Attack) -> Attack:
        ATTACKS[name] = function, players
        return function

    return add


async def _swallow(socket: ClientConnection) -> None:
    """Read everything that arrives, so that the server never waits for this client."""
    with suppress(websockets.WebSocketException, OSError):
        async for _ in socket:
            pass


async def _fire(target: Target, name: str, frames: itertools.cycle[str]) -> None:
    """Send frames as fast as the server accepts them, until it closes the connection."""
    async with target.connect() as socket:
        reader = asyncio.create_task(_swallow(socket))
        try:
            for text in frames:
                await socket.send(text)
                target.counts[name] += 1
                await asyncio.sleep(0)
        finally:
            reader.cancel()


def _act(action: str, **fields: object) -> str:
    return json.dumps({"action": action, **fields})


def _made_up(count: int = 1000) -> dict[str, int]:
    mark = secrets.token_hex(4)
    return {f"made-up-{mark}-{number}": 0 for number in range(count)}


@attack("watch storm", players=3)
async def watch_storm(target: Target) -> None:
    """Lanes for threads that do not exist, then every watch a walk over all of them (security.md, H1)."""
    lanes = [_act("resume", cursors=_made_up()) for _ in range(50)]
    watches = [_act("watch"), _act("watch", threads=[])] * 1000
    await _fire(target, "watch storm", itertools.cycle([*lanes, *watches]))


@attack("resume", players=3)
async def resume(target: Target) -> None:
    await _fire(target, "resume", itertools.cycle([_act("resume", cursors=_made_up()) for _ in range(200)]))


@attack("sync and ack", players=2)
async def sync_and_ack(target: Target) -> None:
    ahead = dict.fromkeys(_made_up(), 5)
    frames = [_act("sync", limit=200), _act("ack", cursors=ahead), _act("watch", threads=list(ahead))]
    await _fire(target, "sync and ack", itertools.cycle(frames))


@attack("heavy JSON", players=4)
async def heavy_frames(target: Target) -> None:
    """Send frames of 64 KiB with as many values as fit."""
    frames = [f'{{"action":"ping","payload":{text}}}' for text in HEAVY.values()]
    frames += [f'{{"action":"start_agent","agent_type":"no-such","input":{text}}}' for text in HEAVY.values()]
    await _fire(target, "heavy JSON", itertools.cycle(frames))


@attack("replays", players=3)
async def replays(target: Target) -> None:
    """Replay a thread of large events from its start, repeatedly."""
    frames = [_act("start_agent", agent_type="chat", thread_id="large", input="x" * 50_000)]
    frames += [_act("resume", cursors={"large": 0})] * 100
    await _fire(target, "replays", itertools.cycle(frames))


def _frame(opcode: int, payload: bytes = b"", *, final: bool = True) -> bytes:
    return bytes([(0x80 if final else 0) | opcode, 0x80 | len(payload)]) + b"\0\0\0\0" + payload


FLOODS = [
    _frame(9) * 10_000,
    _frame(10) * 10_000,
    _frame(1, b"x", final=False) + _frame(0, final=False) * 10_000,
    _frame(1, b"{}") * 10_000,
    _frame(1) * 10_000,
    _frame(1, b"a", final=False) + (_frame(0, b"b", final=False) + _frame(9, b"p")) * 5_000,
]
_flood = itertools.cycle(FLOODS)


@attack("frames", players=4)
async def floods_of_frames(target: Target) -> None:
    """Send pings, pongs, fragments and tiny messages in one stream of bytes."""
    upgrade = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
    reader, writer = await target.raw(
        target.head("GET", "/ws", *upgrade, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    )
    try:
        await reader.readuntil(b"\r\n\r\n")
        data = next(_flood)
        for _ in range(50):
            writer.write(data)
            await asyncio.wait_for(writer.drain(), 10)
            target.counts["frames"] += 1
    finally:
        writer.close()


@attack("handshakes", players=4)
async def handshakes(target: Target) -> None:
    """Connect, send a message, disconnect."""
    async with target.connect() as socket:
        await socket.send(_act("ping"))
        target.counts["handshakes"] += 1


@attack("bodies", players=4)
async def bodies(target: Target) -> None:
    """Send JSON bodies of many small values, with a declared length and chunked, some as large as allowed."""
    for size in (870_000, 90_000, 30_000):
        body = b'{"agent_type":"no-such","input":[' + b"[]," * size + b"[]]}"
        json_type = "Content-Type: application/json"
        for data in (
            target.head("POST", "/api/runs", json_type, f"Content-Length: {len(body)}") + body,
            target.head("POST", "/api/runs", json_type, "Transfer-Encoding: chunked")
            + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body),
        ):
            reader, writer = await target.raw(data)
            try:
                async with asyncio.timeout(30):
                    answer = await reader.read(100)
                target.counts[f"bodies {answer[9:12].decode()}"] += 1
            finally:
                writer.close()


@attack("calls", players=8)
async def calls(target: Target) -> None:
    """Call the API as fast as it answers."""
    reader, writer = await target.raw(b"")
    try:
        for path in itertools.cycle(["/api/threads?limit=200", "/api/me", "/api/runs/none", "/ws", "/" + "x" * 12_000]):
            writer.write(target.head("GET", path))
            async with asyncio.timeout(30):
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0"
                )
                await reader.readexactly(int(length.split(b":")[1]))
            target.counts[f"calls {head[9:12].decode()}"] += 1
    finally:
        writer.close()


@attack("half requests", players=100)
async def half_requests(target: Target) -> None:
    """Open connections that never finish their requests."""
    reader, writer = await target.raw(b"GET / HTTP/1.1\r\nX-Slow: ")
    try:
        target.counts["half requests"] += 1
        while True:
            writer.write(b"x")
            await writer.drain()
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    if not await reader.read(100):
                        return
    finally:
        writer.close()


@attack("headers", players=2)
async def headers(target: Target) -> None:
    """Send headers that are too many, too large, or not text."""
    cookies = "; ".join(f"c{number}=1" for number in range(1500))
    for more in ("Cookie: " + cookies, "Cookie: " + "x" * 100_000, "X-Forwarded-For: \xff", "traceparent: \xff"):
        reader, writer = await target.raw(target.head("GET", "/api/me", more))
        try:
            async with asyncio.timeout(30):
                answer = await reader.read(100)
            target.counts[f"headers {answer[9:12].decode()}"] += 1
        finally:
            writer.close()


async def _again(target: Target, name: str, function: Attack) -> None:
    """Repeat an attack, whatever the server does."""
    while True:
        with suppress(OSError, EOFError, TimeoutError, websockets.WebSocketException):
            await function(target)
        target.counts[f"{name}: ended"] += 1
        await asyncio.sleep(0.05)


async def play(target: Target, seconds: float, names: list[str]) -> None:
    """Run the attacks concurrently for this time, then exit the process without waiting for any of them."""
    tasks = [
        asyncio.create_task(_again(target, name, function))
        for name, (function, players) in ATTACKS.items()
        if not names or name in names
        for _ in range(players)
    ]
    await asyncio.sleep(seconds)
    end(target, tasks)


def end(target: Target, playing: object = None) -> None:
    """Print the counts and exit immediately."""
    sys.stdout.write(json.dumps(dict(target.counts)) + "\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    os.nice(5)  # it is the server that must not be busy with this, not the machine
    url, token, seconds, *names = sys.argv[1:]
    target = Target(url, token)
    last = threading.Timer(float(seconds) + 15, end, (target,))  # should the machine not let it come to its end
    last.daemon = True
    last.start()
    asyncio.run(play(target, float(seconds), names))

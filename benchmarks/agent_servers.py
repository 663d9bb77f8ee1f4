"""Compares a framework's own server with Netra, serving the same agent.

    .venv/bin/python benchmarks/agent_servers.py [--rounds 3] [--seconds 5]

Both over real sockets, 50 users whose runs follow each other at full speed, the server on one core and the load on
another, in interleaved rounds: Pydantic AI's AG-UI endpoint on uvicorn, and `langgraph dev` (in memory). They send
server-sent events and keep nothing; Netra keeps every event (SQLite, `synchronous=FULL`) before it sends it. Pieces are
counted, since both sides may join text. The peers are installed into `var/benchmarks/` when they are first wanted.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]  # the same servers as the tests start

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.agent_peers.pieces import MARK
from servers.netra import clean_environment
from servers.process import ServerProcess, accepts_connections, free_port

HERE = Path(__file__).resolve().parent / "agent_peers"
FOLDER = ROOT / "var" / "benchmarks"
TARGET = 0.8
USERS, EVENTS = 50, 200
WARM_UP = 1.0  # seconds
PACKAGES = {"langgraph": ["langgraph-cli[inmem]"], "ag-ui": ["pydantic-ai-slim[ag-ui]", "uvicorn[standard]"]}
QUIET = {
    "LANGSMITH_TRACING": "false",
    "LANGGRAPH_NO_VERSION_CHECK": "true",
    "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    "LANGGRAPH_DISABLE_FILE_PERSISTENCE": "true",
    "LOG_LEVEL": "WARNING",
}


class Count:
    """Pieces that arrived at all users."""

    def __init__(self) -> None:
        self.pieces = 0


Run = Callable[[int], Awaitable[None]]  # one run of a user, to its end


class NetraUser(WSListener):
    """A user of Netra."""

    def __init__(self, user: str, agent: str, count: Count) -> None:
        self.user, self.agent, self.count = user, agent, count
        self.transport: WSTransport | None = None
        self.done: asyncio.Future[None] | None = None
        self.given = 0  # pieces of this run

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        if b'"event_type":"agent_completed"' in payload:  # its result repeats the text
            assert self.done is not None
            self.done.set_result(None)
        else:
            found = payload.count(MARK.encode())
            self.given += found
            self.count.pieces += found

    async def connect(self, port: int) -> None:
        headers = {"Authorization": f"Bearer netra_{self.user}"}
        await ws_connect(lambda: self, f"ws://127.0.0.1:{port}/ws", extra_headers=headers)

    async def run(self, events: int) -> None:
        self.done, self.given = asyncio.get_running_loop().create_future(), 0
        given = {"message": str(events)} if self.agent == "model" else {"events": events}
        start = {"action": "start_agent", "agent_type": self.agent, "input": given}
        assert self.transport is not None
        self.transport.send(WSMsgType.TEXT, json.dumps(start).encode())
        async with asyncio.timeout(60):
            await self.done
        assert self.given == events, f"{self.given} pieces of {events}"


@dataclass
class SseUser:
    """A user of a server that answers a POST with server-sent events."""

    port: int
    path: str
    body: Callable[[int], dict[str, object]]
    count: Count

    async def run(self, events: int) -> None:
        data = json.dumps(self.body(events)).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
        writer.write(
            f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAccept: text/event-stream\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode()
            + data
        )
        given, head = 0, b""
        async with asyncio.timeout(60):
            while chunk := await reader.read(1 << 16):
                head = head or chunk
                found = chunk.count(MARK.encode())
                given += found
                self.count.pieces += found
        writer.close()
        assert head.startswith(b"HTTP/1.1 200"), head[:200]
        assert given == events, f"{given} pieces of {events}"


async def rate(runs: list[Run], count: Count, seconds: float) -> float:
    """Pieces a second while every user starts one run after the other."""
    end = time.monotonic() + WARM_UP + seconds

    async def one(run: Run) -> None:
        while time.monotonic() < end:
            await run(EVENTS)

    work = asyncio.gather(*(one(run) for run in runs))
    await asyncio.sleep(WARM_UP)
    before, began = count.pieces, time.monotonic()
    await asyncio.sleep(seconds)
    result = (count.pieces - before) / (time.monotonic() - began)
    await work
    return result


def python_of(name: str) -> Path:
    """The interpreter of a peer's environment, which is created if it does not exist."""
    folder = FOLDER / name
    python = folder / "bin" / "python"
    if not (folder / ".done").exists():
        print(f"installing {name} …", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PACKAGES[name]], check=True)
        (folder / ".done").touch()
    return python


def agui_body(events: int) -> dict[str, object]:
    return {
        "threadId": "t",
        "runId": "r",
        "state": None,
        "messages": [{"id": "1", "role": "user", "content": str(events)}],
        "tools": [],
        "context": [],
        "forwardedProps": {},
    }


def langgraph_body(events: int) -> dict[str, object]:
    return {"assistant_id": "bench", "stream_mode": ["custom"], "input": {"events": events}}


def answers(port: int, path: str) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def measure(name: str, scratch: Path, seconds: float, core: str, load: set[int]) -> float:
    """Start a server, measure its rate, end it. `name`: `ag-ui`, `langgraph`, or `netra AGENT`."""
    port, folder = free_port(), Path(tempfile.mkdtemp(dir=scratch))
    env, count, cwd = clean_environment(QUIET), Count(), HERE
    if name == "langgraph":
        command = [str(python_of(name).parent / "langgraph"), "dev", "--no-browser", "--no-reload"]
        command += ["--host", "127.0.0.1", "--port", str(port), "--n-jobs-per-worker", "60"]
        runs: list[Run] = [SseUser(port, "/runs/stream", langgraph_body, count).run] * USERS
    elif name == "ag-ui":
        command = [str(python_of(name)), "agui.py", str(port)]
        runs = [SseUser(port, "/", agui_body, count).run] * USERS
    else:
        settings = {"DJANGO_SETTINGS_MODULE": "benchmarks.agent_peers.settings", "NETRA_DATA_DIR": str(folder)}
        env, cwd = clean_environment({**QUIET, **settings, "SECRET_KEY": "benchmark" * 8}), ROOT
        subprocess.run([sys.executable, "-m", "benchmarks.netra_bench.seed"], cwd=ROOT, env=env, check=True)
        command = [sys.executable, "manage.py", "serve", "--port", str(port)]
        users = [NetraUser(f"u{number}", name.split()[1], count) for number in range(USERS)]
        runs = [user.run for user in users]
    path = "/ok" if name == "langgraph" else "/"
    server = ServerProcess(
        ["taskset", "-c", core, *command],
        log=folder / "server.log",
        is_ready=lambda: accepts_connections(port) and answers(port, path),
        env=env,
        cwd=cwd,
    )
    server.start()
    os.sched_setaffinity(0, load)

    async def work() -> float:
        if name.startswith("netra"):
            await asyncio.gather(*(user.connect(port) for user in users))
        return await rate(runs, count, seconds)

    try:
        return uvloop.run(work())
    finally:
        server.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    core, load = str(cores[0]), set(cores[1:] or cores)
    pairs = {"Pydantic AI: AG-UI on uvicorn": ("ag-ui", "netra model"), "langgraph dev": ("langgraph", "netra graph")}
    rates: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="netra-bench-", ignore_cleanup_errors=True) as scratch:
        for number in range(options.rounds):
            for title, sides in pairs.items():
                for side, name in enumerate(sides):
                    print(f"round {number + 1} of {options.rounds}: {name}", file=sys.stderr, flush=True)
                    rates.setdefault((title, side), []).append(
                        measure(name, Path(scratch), options.seconds, core, load)
                    )
    print(f"\n{USERS} users, runs of {EVENTS} events, {options.rounds} rounds of {options.seconds:g} s, events/s")
    print(f"{'':32} {'own server':>12} {'Netra':>12} {'ratio':>7}")
    good = True
    for title in pairs:
        own, ours = (statistics.median(rates[title, side]) for side in (0, 1))
        ratio = statistics.median(b / a for a, b in zip(rates[title, 0], rates[title, 1], strict=True))
        good &= ratio >= TARGET
        print(f"{title:32} {own:12,.0f} {ours:12,.0f} {ratio:7.2f}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()

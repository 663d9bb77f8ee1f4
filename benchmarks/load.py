"""The load generator: opens WebSockets, starts runs, checks every event (count, order, loss), prints one JSON line.

python -m benchmarks.load SCENARIO --url URL --dialect netra|netra-batch|channels|socketio --pid SERVER_PID
"""

import argparse
import asyncio
import gc
import json
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

STALL = 5.0  # seconds without an event after which a run is given up
WARM_UP = 0.5  # seconds


class Client(WSListener):
    """One connection of one user."""

    def __init__(self, load: "Load", user: str) -> None:
        self.load, self.user = load, user
        self.transport: Any = None
        self.of_netra = load.dialect.startswith("netra")
        self.is_socketio = load.dialect == "socketio"
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.expected = self.seen = self.lost = self.out_of_order = 0
        self.done: asyncio.Future[None] | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        if not self.is_socketio:
            self.ready.set_result(None)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.load.disconnects += not self.load.closing

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT:
            now = time.monotonic_ns()
            payload = frame.get_payload_as_bytes()
            if self.is_socketio:
                if not payload.startswith(b"42"):
                    self.on_socketio(payload)
                    return
                message = orjson.loads(payload[2:])[1]
            else:
                message = orjson.loads(payload)
            for event in message if type(message) is list else (message,):
                self.on_event(event, now)

    def on_socketio(self, payload: bytes) -> None:
        """Packets of Engine.IO and Socket.IO that are no events: open, connected, ping."""
        if payload.startswith(b"0"):
            self.transport.send(WSMsgType.TEXT, b"40" + orjson.dumps({"user": self.user}))
        elif payload.startswith(b"40"):
            self.ready.set_result(None)
        elif payload == b"2":
            self.transport.send(WSMsgType.TEXT, b"3")

    def on_event(self, event: dict[str, Any], now: int) -> None:
        load = self.load
        if not self.of_netra:
            number, sent, done = event["seq"], event.get("ts"), event["type"] == "done"
        else:
            kind = event["event_type"]
            state = event["data"]["state"] if kind == "agent_state" else None
            number, sent, done = (state["seq"], state["ts"], False) if state else (-1, None, kind == "agent_completed")
            if kind == "resumed":
                done = True
        if number >= 0:
            self.out_of_order += number < self.seen
            self.seen = max(self.seen, number) + 1
            load.events += 1
            load.last = now
            if load.latencies is not None and sent:
                load.latencies.append(now - sent)
        if done and self.done is not None and not self.done.done():
            self.done.set_result(None)

    def send(self, message: dict[str, Any]) -> None:
        self.transport.send(WSMsgType.TEXT, orjson.dumps(message))

    def expect(self, events: int) -> "asyncio.Future[None]":
        self.expected, self.seen = events, 0
        self.done = asyncio.get_running_loop().create_future()
        return self.done

    async def run(self, events: int, rate: float) -> bool:
        """One run from its start to its last event."""
        done = self.expect(events)
        self.start(events, rate)
        return await self.finish(done)

    def start(self, events: int, rate: float) -> None:
        given = {"events": events, "size": self.load.size, "rate": rate}
        if self.is_socketio:
            self.transport.send(WSMsgType.TEXT, b"42" + orjson.dumps(["start", given]))
            return
        self.send({"action": "start_agent", "agent_type": "bench", "input": given})

    async def finish(self, done: "asyncio.Future[None]") -> bool:
        while not done.done():
            before = self.load.events
            await asyncio.wait([done], timeout=STALL)
            if not done.done() and self.load.events == before:
                break
        self.lost += self.expected - self.seen
        return done.done()


class Load:
    """One scenario against one server."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.url, self.dialect, self.pid, self.size = options.url, options.dialect, options.pid, options.size
        self.seconds, self.per_run = options.seconds, options.events
        self.crowd = [f"u{options.first_user + number}" for number in range(options.users)]
        self.events = self.last = self.disconnects = 0
        self.closing = False
        self.latencies: list[int] | None = None
        self.clients: list[Client] = []

    async def connect(self, users: list[str]) -> list[Client]:
        gate = asyncio.Semaphore(64)

        async def one(user: str) -> Client:
            client = Client(self, user)
            headers = {"Authorization": f"Bearer netra_{user}"} if client.of_netra else {}
            if self.dialect == "netra-batch":
                headers["Sec-WebSocket-Protocol"] = "netra.v1.batch"
            async with gate:
                await ws_connect(
                    lambda: client, self.url.format(user=user), extra_headers=headers, websocket_handshake_timeout=60
                )
                await client.ready
            if client.of_netra:
                client.send({"action": "ping"})  # the server never sends first
            return client

        made = list(await asyncio.gather(*(one(user) for user in users)))
        self.clients += made
        return made

    async def measured(self, work: Callable[[], Awaitable[None]]) -> dict[str, Any]:
        """Rates and processor time of the server while `work` runs."""
        await asyncio.sleep(0.2)
        gc.collect()
        gc.disable()
        self.events, began, cpu = 0, time.monotonic_ns(), cpu_seconds(self.pid)
        own = time.process_time()
        await work()
        seconds = ((self.last or time.monotonic_ns()) - began) / 1e9
        used = cpu_seconds(self.pid) - cpu
        result: dict[str, Any] = {
            "seconds": seconds,
            "events": self.events,
            "events_per_s": self.events / seconds,
            "cpu_us_per_event": used / max(1, self.events) * 1e6,
            "client_cpu": (time.process_time() - own) / seconds,
            "lost": sum(client.lost for client in self.clients),
            "out_of_order": sum(client.out_of_order for client in self.clients),
            "disconnects": self.disconnects,
        }
        if self.latencies:
            ordered = sorted(self.latencies)
            result["p50_ms"] = statistics.median(ordered) / 1e6
            result["p99_ms"] = ordered[int(len(ordered) * 0.99)] / 1e6
        return result

    async def stream(self, background: int = 0, users: int | None = None) -> dict[str, Any]:
        """Users who start one run after the other, at full speed."""
        if background:
            await self.connect([f"bg{number}" for number in range(background)])
        clients = await self.connect(self.crowd[:users])

        async def until(end: float) -> None:
            async def one(client: Client) -> None:
                while time.monotonic() < end and await client.run(self.per_run, 0):
                    pass

            await asyncio.gather(*(one(client) for client in clients))

        await until(time.monotonic() + WARM_UP)
        return await self.measured(lambda: until(time.monotonic() + self.seconds))

    async def paced(self) -> dict[str, Any]:
        """Users at the speed of a model: 20 events a second each. Latency from emission to receipt."""
        clients = await self.connect(self.crowd)
        await asyncio.gather(*(client.run(20, 20) for client in clients))
        self.latencies = []

        async def work() -> None:
            await asyncio.gather(*(client.run(60, 20) for client in clients))

        return await self.measured(work)

    async def fanout(self) -> dict[str, Any]:
        """One user with 20 tabs; every event goes to all of them. An event here is one delivery."""
        tabs = await self.connect(["u0"] * 20)

        async def until(end: float) -> None:
            while time.monotonic() < end:
                waiting = [tab.expect(200) for tab in tabs]
                tabs[0].start(200, 0)
                await asyncio.gather(*(tab.finish(done) for tab, done in zip(tabs, waiting, strict=True)))

        await until(time.monotonic() + WARM_UP)
        return await self.measured(lambda: until(time.monotonic() + self.seconds))

    async def idle(self) -> dict[str, Any]:
        """Memory of 1,000 connections that do nothing."""
        await self.connect(["w0"])
        await asyncio.sleep(1)
        before, began = memory(self.pid), time.monotonic()
        await self.connect([f"i{number}" for number in range(1000)])
        took = time.monotonic() - began
        await asyncio.sleep(1.5)
        used = (memory(self.pid) - before) / 1000 / 1024
        return {"connects_per_s": 1000 / took, "kib_per_connection": used, "disconnects": self.disconnects}

    async def replay(self) -> dict[str, Any]:
        """Read a thread of 10,000 events again from the beginning (Netra only)."""
        (writer,) = await self.connect(["u0"])
        done = writer.expect(10_000)
        given = {"events": 10_000, "size": self.size}
        start = {"action": "start_agent", "agent_type": "bench", "thread_id": "long", "input": given}
        writer.send(start)
        await writer.finish(done)

        readers = await self.connect(["u0"] * 4)

        async def work() -> None:
            for reader in readers:  # one after the other
                done = reader.expect(10_000)
                reader.send({"action": "resume", "cursors": {"long": 0}})
                await reader.finish(done)

        return await self.measured(work)


def cpu_seconds(pid: int) -> float:
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()  # noqa: SIM115
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> int:
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()  # noqa: SIM115
    return int(fields[21]) * os.sysconf("SC_PAGE_SIZE")


async def scenario(options: argparse.Namespace) -> dict[str, Any]:
    load = Load(options)
    work = {
        "stream": load.stream,
        "stream_10": lambda: load.stream(users=10),
        "stream_10_idle_1000": lambda: load.stream(background=1000, users=10),
        "stream_10_idle_5000": lambda: load.stream(background=5000, users=10),
        "paced": load.paced,
        "fanout": load.fanout,
        "idle": load.idle,
        "replay": load.replay,
    }[options.scenario]
    async with asyncio.timeout(170):
        result = await work()
    load.closing = True
    for client in load.clients:
        client.transport.disconnect()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario")
    parser.add_argument("--url", required=True)
    parser.add_argument("--dialect", required=True, choices=("netra", "netra-batch", "channels", "socketio"))
    parser.add_argument("--pid", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--events", type=int, default=200, help="events of a run at full speed")
    parser.add_argument("--users", type=int, default=50)
    parser.add_argument("--first-user", type=int, default=0, help="number of the first user, for several generators")
    parser.add_argument("--size", type=int, default=200, help="bytes of one event's JSON, about")
    options = parser.parse_args()
    if not options.url.startswith("ws://127.0.0.1:"):
        parser.error("only a server of this machine is a target")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(scenario(options))))


if __name__ == "__main__":
    main()

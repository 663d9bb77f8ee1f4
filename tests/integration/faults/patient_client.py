"""A client as the wire protocol wants it: comes back after every break, resumes, and checks each thread's order."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import Sequence
from typing import Any

import websockets

TERMINAL = ("agent_completed", "agent_failed", "agent_cancelled")


class PatientClient:
    """Keeps what it has seen of each thread, as the exact texts.

    Attributes:
        seen: texts by thread, in `seq` order.
        ended: terminal event types by run.
        faults: what broke a promise: gaps, repeats outside replays, repeats that differ.
        connects: how often it connected.
    """

    def __init__(self, urls: Sequence[str], token: str) -> None:
        self._urls = itertools.cycle(urls)
        self._token = token
        self.seen: dict[str, list[str]] = {}
        self.ended: dict[str, list[str]] = {}
        self.faults: list[str] = []
        self.connects = 0
        self._socket: Any = None
        self._task: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()
        self._replaying: dict[str, int] = {}
        self._changed = asyncio.Event()

    async def __aenter__(self) -> "PatientClient":
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])

    async def start(self, run_id: str, thread_id: str, agent: str = "ticker", **input: Any) -> None:
        """Start an agent, again and again until the server has the run: the run_id makes that safe."""
        self.seen.setdefault(thread_id, [])
        message = {"action": "start_agent", "agent_type": agent, "run_id": run_id, "thread_id": thread_id}
        text = json.dumps({**message, "input": input})
        while not self.seen[thread_id]:
            await self._connected.wait()
            with contextlib.suppress(websockets.ConnectionClosed):
                await self._socket.send(text)
            for _ in range(200):
                if self.seen[thread_id]:
                    break
                await asyncio.sleep(0.05)

    def cut(self) -> None:
        """Lose the connection: no close frame, nothing that is on its way arrives."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def wait_for_connect(self, count: int, seconds: float) -> None:
        """Wait until it has connected so often."""
        async with asyncio.timeout(seconds):
            while self.connects < count or not self._connected.is_set():
                self._changed.clear()
                await self._changed.wait()

    async def wait_for_end(self, run_id: str, seconds: float) -> None:
        """Wait until the run's terminal event is here."""
        async with asyncio.timeout(seconds):
            while run_id not in self.ended:
                self._changed.clear()
                await self._changed.wait()

    async def wait_for_events(self, thread_id: str, count: int, seconds: float) -> None:
        """Wait until so many events of the thread are here."""
        async with asyncio.timeout(seconds):
            while len(self.seen.get(thread_id, ())) < count:
                self._changed.clear()
                await self._changed.wait()

    async def _run(self) -> None:
        while True:
            try:
                headers = {"Authorization": f"Bearer {self._token}"}
                async with websockets.connect(next(self._urls), additional_headers=headers, max_size=None) as socket:
                    self.connects += 1
                    self._replaying.clear()
                    self._socket = socket
                    cursors = {thread: len(texts) for thread, texts in self.seen.items()}
                    first = {"action": "resume", "cursors": cursors} if cursors else {"action": "ping"}
                    await socket.send(json.dumps(first))
                    self._connected.set()
                    self._changed.set()
                    async for text in socket:
                        self._take(str(text))
            except (OSError, websockets.WebSocketException, TimeoutError):
                pass
            self._connected.clear()
            await asyncio.sleep(0.2)

    def _take(self, text: str) -> None:
        event = json.loads(text)
        if event["event_type"] == "replaying":
            self._replaying[event["thread_id"]] = event["to_seq"]
        if event["event_type"] == "error" and event["code"] in ("invalid_cursor", "cursor_expired"):
            self.faults.append(text)
        if "seq" not in event:
            return
        thread, seq = event["thread_id"], event["seq"]
        texts = self.seen.setdefault(thread, [])
        if seq == len(texts) + 1:
            texts.append(text)
            if event["event_type"] in TERMINAL:
                self.ended.setdefault(event["run_id"], []).append(event["event_type"])
        elif seq > len(texts) + 1:
            self.faults.append(f"gap in {thread}: {seq} after {len(texts)}")
        elif seq > self._replaying.get(thread, 0):
            self.faults.append(f"repeat of {seq} in {thread} outside a replay")
        elif texts[seq - 1] != text:
            self.faults.append(f"{seq} in {thread} differs from what was sent before")
        self._changed.set()


async def journal_of(url: str, token: str, thread_id: str) -> list[str]:
    """What the journal has of a thread, asked for by somebody who has seen nothing."""
    async with websockets.connect(
        url, additional_headers={"Authorization": f"Bearer {token}"}, max_size=None
    ) as socket:
        await socket.send(json.dumps({"action": "resume", "cursors": {thread_id: 0}}))
        texts: list[str] = []
        async with asyncio.timeout(30):
            while True:
                text = str(await socket.recv())
                event = json.loads(text)
                if event["event_type"] == "resumed":
                    return texts
                if event.get("thread_id") == thread_id and "seq" in event:
                    texts.append(text)

"""The resuming client, with what the fault tests ask of it: start the ticker, wait for its end, show what was seen."""

import asyncio
from collections.abc import Sequence
from typing import Any

from netra.loadtest import resuming_client
from netra.loadtest.resuming_client import ResumingClient
from websocket_core.testing.oracle import ends


class PatientClient(ResumingClient):
    """Keeps what it has seen of each thread, as the exact texts.

    Attributes:
        ended: terminal event types by run.
    """

    def __init__(self, urls: Sequence[str], token: str) -> None:
        super().__init__(urls, token, on_frame=self._note, batch=False)
        self.ended: dict[str, list[str]] = {}
        self._changed = asyncio.Event()

    @property
    def seen(self) -> dict[str, list[str]]:
        """Texts by thread, in `seq` order."""
        threads = self.oracle.threads.items()
        return {thread: [view.texts[seq] for seq in sorted(view.texts)] for thread, view in threads if view.texts}

    @property
    def faults(self) -> list[str]:
        """What broke a promise."""
        return self.examples

    async def start(self, run_id: str, thread_id: str, agent: str = "ticker", **input: Any) -> None:
        """Start an agent, again and again until the server has the run: the run_id makes that safe."""
        self.follow(thread_id)
        start = {"action": "start_agent", "agent_type": agent, "run_id": run_id, "thread_id": thread_id}
        while not self._count(thread_id):
            await self.connected.wait()
            await self.send(**start, input=input)
            for _ in range(200):
                if self._count(thread_id):
                    break
                await asyncio.sleep(0.05)

    async def wait_for_connect(self, count: int, seconds: float) -> None:
        """Wait until it has connected so often."""
        async with asyncio.timeout(seconds):
            while self.connects < count or not self.connected.is_set():
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
            while self._count(thread_id) < count:
                self._changed.clear()
                await self._changed.wait()

    def _count(self, thread_id: str) -> int:
        view = self.oracle.threads.get(thread_id)
        return 0 if view is None else len(view.texts)

    def _note(self, frame: dict[str, Any], fresh: bool) -> None:
        if fresh and ends(frame):
            self.ended.setdefault(frame["run_id"], []).append(frame["event_type"])
        if frame["event_type"] == "error" and frame["code"] in ("invalid_cursor", "cursor_expired"):
            self.examples.append(str(frame))
        self._changed.set()


async def journal_of(url: str, token: str, thread_id: str) -> list[str]:
    """What the journal has of a thread, asked for by somebody who has seen nothing."""
    return (await resuming_client.journal_of(url, token, [thread_id]))[thread_id]

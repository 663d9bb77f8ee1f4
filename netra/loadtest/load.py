"""The load: users with several tabs, runs one after another, connections that are cut; and what the tabs received."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from array import array
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime
from hashlib import blake2b
from typing import Any, NamedTuple

from netra.loadtest.plan import Plan
from netra.loadtest.resuming_client import Refused, ResumingClient
from websocket_core.ids import new_id
from websocket_core.testing.oracle import OrderOracle, ends

ASK_AGAIN = 5.0  # seconds without a sign of a run after which it is started again, under the same id
CONNECT_AT_ONCE = 50


def digest(text: str) -> str:
    """A digest, to compare texts without storing them."""
    return blake2b(text.encode(), digest_size=8).hexdigest()


class Sample(NamedTuple):
    """One second of the load."""

    at: float  # seconds since the load began
    deliveries: int
    p50: float  # ms, of the events that came live in this second; 0 when there were none
    p99: float
    connected: int
    running: int


class Tab:
    """One connection of a user."""

    def __init__(self, load: Load, user: User, number: int) -> None:
        self._load, self._user = load, user
        urls = load.plan.urls[number % len(load.plan.urls) :] + load.plan.urls[: number % len(load.plan.urls)]
        self.client = ResumingClient(
            urls,
            load.plan.tokens[user.number],
            threads=load.plan.threads_of(user.number),
            oracle=OrderOracle(digest),
            on_frame=self._frame,
            batch=load.plan.batch,
        )

    def _frame(self, frame: dict[str, Any], fresh: bool) -> None:
        if fresh:
            self._load.arrived(frame, live=frame["seq"] > self.client.oracle.threads[frame["thread_id"]].replay_to)
            self._user.noticed(frame)
        elif frame["event_type"] == "error":
            self._load.errors[frame["code"]] += 1
            self._user.answered(frame)


class User:
    """A user with several tabs."""

    def __init__(self, load: Load, number: int) -> None:
        self.number = number
        self.tabs = [Tab(load, self, number + tab) for tab in range(load.plan.tabs)]
        self.started: list[tuple[str, str]] = []  # (thread, run) that were asked for
        self._seen: dict[str, asyncio.Event] = {}  # run -> its first event, by whichever tab
        self._over: dict[str, asyncio.Event] = {}
        self.pause = 0.0  # seconds that the server has asked for
        self.impossible: str | None = None  # the reason why no run can be started

    async def run(self, agent: str, thread: str, input: Any) -> None:
        """One run, from its start to the first tab that sees its end. The run_id makes asking again safe."""
        run = new_id()
        self.started.append((thread, run))
        seen, over = self._seen[run], self._over[run] = asyncio.Event(), asyncio.Event()
        action = {"action": "start_agent", "agent_type": agent, "thread_id": thread, "run_id": run, "input": input}
        while not seen.is_set():
            if self.impossible:
                raise Refused(self.impossible)
            await asyncio.sleep(self.pause)
            self.pause = 0.0
            sent = await random.choice(self.tabs).client.send(**action)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ASK_AGAIN if sent else 0.2):
                    await seen.wait()
        await over.wait()
        del self._seen[run], self._over[run]

    def noticed(self, event: dict[str, Any]) -> None:
        """A tab got an event."""
        run = event["run_id"]
        if run in self._seen:
            self._seen[run].set()
            if ends(event):
                self._over[run].set()

    def answered(self, error: dict[str, Any]) -> None:
        """A tab got an error."""
        self.pause = max(self.pause, error.get("retry_after_ms", 0) / 1000)
        if error["code"] == "unknown_agent":
            self.impossible = (
                f"{error['message']} Name one that the deployment has (--agent test), or set NETRA_AGENT_MODULES="
                "netra.agents.pulse there."
            )


class Load:
    """Everybody who takes part.

    Attributes:
        samples: one per second.
        deliveries: events that arrived for the first time, over all tabs.
        errors: `error` frames, by code.
        under_load: set as soon as everybody is connected and the runs are going.
        cut: connections that were cut on purpose.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.users = [User(self, number) for number in range(len(plan.tokens))]
        self.samples: list[Sample] = []
        self.deliveries = self.cut = self.running = 0
        self.errors: Counter[str] = Counter()
        self.latencies = array("f")  # ms
        self.seconds = 0.0  # how long it lasted, under load
        self.under_load = asyncio.Event()
        self.on_sample: Callable[[Sample], None] = lambda sample: None
        self._latencies_before = self._deliveries_before = 0
        self._began = time.monotonic()
        self._ending = False
        self._going = asyncio.Event()  # all runs have begun, and something has arrived
        self._turns: asyncio.Queue[tuple[User, str]] = asyncio.Queue()

    @property
    def tabs(self) -> list[Tab]:
        """Of all users."""
        return [tab for user in self.users for tab in user.tabs]

    @property
    def connected(self) -> int:
        """Tabs that have a connection."""
        return sum(tab.client.connected.is_set() for tab in self.tabs)

    def arrived(self, event: dict[str, Any], *, live: bool) -> None:
        """A tab got an event for the first time."""
        self.deliveries += 1
        if self.running >= self.plan.runs:
            self._going.set()
        if live:
            self.latencies.append(max(0.0, time.time() - datetime.fromisoformat(event["timestamp"]).timestamp()) * 1000)

    async def run(self, during: Callable[[], Awaitable[None]] | None = None) -> None:
        """Connect, load, and let what was started end. Tabs stay connected until `close`.

        Args:
            during: what is done under load; by default nothing, for the plan's duration.

        Raises:
            Refused: the deployment does not take part.
            TimeoutError: not everybody could connect, or the runs do not begin.
        """
        await self._connect()
        for user in self.users:
            for thread in self.plan.threads_of(user.number):
                self._turns.put_nowait((user, thread))
        async with asyncio.TaskGroup() as tasks:
            helpers = [tasks.create_task(self._sample())]
            slots = [tasks.create_task(self._slot(number)) for number in range(self.plan.runs)]
            async with asyncio.timeout(60 + self.plan.run_seconds):
                await self._going.wait()
            helpers.append(tasks.create_task(self._cut()))
            began = time.monotonic()
            self.under_load.set()
            await (during() if during is not None else asyncio.sleep(self.plan.duration))
            self.seconds = time.monotonic() - began
            self._ending = True
            await asyncio.wait(slots, timeout=self.plan.settle)
            for task in (*slots, *helpers):  # a run that never ends is the verdict's to tell
                task.cancel()

    async def close(self) -> None:
        """Everybody goes away."""
        await asyncio.gather(*(tab.client.__aexit__() for tab in self.tabs))

    async def _connect(self) -> None:
        gate = asyncio.Semaphore(CONNECT_AT_ONCE)

        async def one(tab: Tab) -> None:
            async with gate:
                await tab.client.__aenter__()
                while not tab.client.connected.is_set():
                    if tab.client.refused:
                        raise Refused(tab.client.refused)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(tab.client.connected.wait(), 0.5)

        async with asyncio.timeout(60 + len(self.tabs) / 5):
            await asyncio.gather(*(one(tab) for tab in self.tabs))

    async def _slot(self, number: int) -> None:
        """One run after the other, each of the user whose turn it is."""
        given = self.plan.input_of_a_run()
        await asyncio.sleep(number / self.plan.runs * min(self.plan.run_seconds, 3.0))  # not all at once
        while not self._ending:
            user, thread = await self._turns.get()
            self.running += 1
            try:
                await user.run(self.plan.agent, thread, given)
            finally:
                self.running -= 1
                self._turns.put_nowait((user, thread))

    async def _cut(self) -> None:
        if self.plan.reconnects_per_second <= 0:
            return
        tabs = self.tabs
        while not self._ending:
            await asyncio.sleep(random.expovariate(self.plan.reconnects_per_second))
            random.choice(tabs).client.drop()
            self.cut += 1

    async def _sample(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            recent = sorted(self.latencies[self._latencies_before :])
            self._latencies_before = len(self.latencies)
            count, self._deliveries_before = self.deliveries - self._deliveries_before, self.deliveries
            p50, p99 = percentile(recent, 0.5), percentile(recent, 0.99)
            sample = Sample(time.monotonic() - self._began, count, p50, p99, self.connected, self.running)
            self.samples.append(sample)
            self.on_sample(sample)


def percentile(ordered: Any, part: float) -> float:
    """Of sorted values; 0 when there are none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0

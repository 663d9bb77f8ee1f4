"""Isolation of a real server under load: markers that must not travel, and answers whose time tells nothing."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import os
import random
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
import websockets

from servers.fixtures import TEST_KEY
from servers.netra import Installation, NetraServer
from websocket_core.ids import new_id

# NETRA_TEST_ISOLATION=50x3x20 runs the size that a release is tried with: users x tabs x runs of each tab.
USERS, TABS, RUNS = (int(number) for number in os.environ.get("NETRA_TEST_ISOLATION", "12x3x4").split("x"))
TERMINAL = ("agent_completed", "agent_failed", "agent_cancelled")
PATIENCE = 60.0 + USERS * TABS * RUNS / 10
pytestmark = pytest.mark.timeout(PATIENCE * 2 + 60)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[NetraServer]:
    folder = tmp_path_factory.mktemp("isolation") / "data"
    shutil.copytree(migrated_sqlite, folder)
    env = {
        "SECRET_KEY": TEST_KEY,
        "NETRA_AGENT_MODULES": "tests.security.probe_agents",
        "NETRA_ACTIONS_PER_SECOND": "0",
        "LOG_LEVEL": "WARNING",
    }
    server = Installation(folder, env).server()
    server.start()
    yield server
    server.end()


@pytest.fixture(scope="module")
def tokens(server: NetraServer) -> Callable[[int], list[str]]:
    """Tokens of so many users, `user-0` and so on, made by one command."""

    @functools.cache
    def make(count: int) -> list[str]:
        code = (
            "from websocket_core.auth import tokens\n"
            f"for number in range({count}): print(tokens.issue(f'user-{{number}}')[0])"
        )
        return server.installation.manage("shell", "--no-imports", "-c", code).split()

    return make


class Tab:
    """One tab of a user: starts runs, loses its connection, comes back, and names what is not its own.

    Attributes:
        texts: everything it was sent.
        ended: runs it has seen the end of.
        answers: what guessed names were answered with.
    """

    def __init__(self, server: NetraServer, token: str, marker: str, guesses: list[str], seed: int) -> None:
        self._server, self._token, self._marker, self._guesses = server, token, marker, guesses
        self._random = random.Random(seed)
        self.texts: list[str] = []
        self.ended: set[str] = set()
        self.answers: list[dict[str, Any]] = []
        self._cursors: dict[str, int] = {}
        self._changed = asyncio.Event()
        self._ponged = False

    async def live(self, runs: list[str], all_runs: set[str], threads: list[str]) -> None:
        """Start these runs, and stay until the user's runs of all tabs are over."""
        waiting, connects = list(runs), itertools.count()
        while waiting or not self._ponged:
            headers = {"Authorization": f"Bearer {self._token}"}
            with suppress(websockets.ConnectionClosed):
                async with websockets.connect(self._server.ws_url, proxy=None, additional_headers=headers) as socket:
                    cursors = {thread: self._cursors.get(thread, 0) for thread in threads}
                    await socket.send(json.dumps({"action": "resume", "cursors": cursors}))
                    await self._act(socket, waiting, all_runs, threads, last=next(connects) > 2)

    async def _act(self, socket: Any, waiting: list[str], all_runs: set[str], threads: list[str], last: bool) -> None:
        reader = asyncio.create_task(self._read(socket))
        try:
            while waiting:
                run = waiting[-1]
                start = {"action": "start_agent", "agent_type": "probe_marked", "run_id": run, "input": {}}
                start |= {"thread_id": self._random.choice(threads), "input": {"marker": self._marker}}
                await socket.send(json.dumps(start))
                waiting.pop()
                await self._guess(socket)
                await asyncio.sleep(self._random.random() / 10)
                if not last and self._random.random() < 0.4:
                    return
            while not all_runs <= self.ended and not reader.done():
                self._changed.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), 1)
            for _ in range(5):  # by now, most of the names are in use
                await self._guess(socket)
            await socket.send('{"action": "ping"}')
            while not reader.done() and not self._ponged:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        finally:
            reader.cancel()
            await asyncio.wait([reader])

    async def _guess(self, socket: Any) -> None:
        foreign = self._random.choice(self._guesses)
        for action in (
            {"action": "stop_agent", "run_id": foreign},
            {"action": "respond", "run_id": foreign, "approval_id": foreign, "approved": True},
            {"action": "resume", "cursors": {foreign: 3}},
            {"action": "watch", "threads": "*"},
        ):
            await socket.send(json.dumps(action))

    async def _read(self, socket: Any) -> None:
        async for text in socket:
            self.texts.append(str(text))
            frame = json.loads(text)
            if frame["event_type"] == "error":
                self.answers.append(frame)
            if "seq" in frame:
                thread = frame["thread_id"]
                self._cursors[thread] = max(frame["seq"], self._cursors.get(thread, 0))
            if frame["event_type"] in TERMINAL:
                self.ended.add(frame["run_id"])
                self._changed.set()
            self._ponged = self._ponged or frame["event_type"] == "pong"


async def test_markers__never_reach_another_user(server: NetraServer, tokens):
    keys = tokens(max(USERS, 12))[:USERS]
    markers = [f"marker-{new_id()}" for _ in keys]
    threads = [[new_id() for _ in range(3)] for _ in keys]
    runs = [[[new_id() for _ in range(RUNS)] for _ in range(TABS)] for _ in keys]
    of_user = [{run for tab in tabs for run in tab} for tabs in runs]
    tabs: list[list[Tab]] = []
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        for user, key in enumerate(keys):
            others = [number for number in range(USERS) if number != user]
            guesses = [name for number in others for name in (*threads[number], *of_user[number])]
            tabs.append([Tab(server, key, markers[user], guesses, user * 100 + number) for number in range(TABS)])
            for number, tab in enumerate(tabs[-1]):
                group.create_task(tab.live(list(runs[user][number]), of_user[user], threads[user]))
    for user, own in enumerate(tabs):
        for tab in own:
            whole = "\n".join(tab.texts)
            assert markers[user] in whole
            assert [marker for marker in markers if marker != markers[user] and marker in whole] == []
            assert tab.ended == of_user[user]
            assert {answer["code"] for answer in tab.answers} <= {"not_found", "invalid_cursor"}
            assert {answer["last_seq"] for answer in tab.answers if answer["code"] == "invalid_cursor"} <= {0}
            assert len(tab.answers) >= 15
    assert "Traceback" not in server.output()


class Stopwatch:
    """Times of answers about real and about invented names, in milliseconds; asked in turns, so that load hits both."""

    def __init__(self) -> None:
        self.times: dict[str, tuple[list[float], list[float]]] = {}

    def note(self, what: str, real: bool, seconds: float) -> None:
        self.times.setdefault(what, ([], []))[real].append(seconds * 1000)

    def differences(self) -> dict[str, float]:
        return {
            what: abs(statistics.median(real) - statistics.median(invented))
            for what, (invented, real) in self.times.items()
        }


async def victim(server: NetraServer, token: str) -> dict[str, str]:
    """Names of a user with a long thread and a run that waits."""
    headers = {"Authorization": f"Bearer {token}"}
    thread = new_id()
    async with websockets.connect(server.ws_url, proxy=None, additional_headers=headers) as socket:
        for number in range(60):
            await socket.send(
                json.dumps(
                    {
                        "action": "start_agent",
                        "agent_type": "probe_marked" if number < 59 else "probe_asking",
                        "thread_id": thread,
                        "input": {"marker": "x" * 2000},
                    }
                )
            )
        async with asyncio.timeout(PATIENCE):
            while True:
                frame = json.loads(await socket.recv())
                if frame["event_type"] == "approval_requested":
                    approval = frame["data"]["approval_id"]
                    return {"thread": thread, "run": frame["run_id"], "approval": approval}


async def test_time__of_an_answer_tells_nothing(server: NetraServer, tokens):
    real = await victim(server, tokens(max(USERS, 12))[0])
    headers = {"Authorization": f"Bearer {tokens(max(USERS, 12))[1]}"}
    watch = Stopwatch()

    def actions(names: dict[str, str]) -> dict[str, dict[str, Any]]:
        run, approval, thread = names["run"], names["approval"], names["thread"]
        return {
            "stop": {"action": "stop_agent", "run_id": run},
            "respond": {"action": "respond", "run_id": run, "approval_id": approval, "approved": True},
            "resume": {"action": "resume", "cursors": {thread: 0}},
            "resume ahead": {"action": "resume", "cursors": {thread: 5}},
            "ack": {"action": "ack", "cursors": {thread: 5}},
        }

    def paths(names: dict[str, str]) -> dict[str, tuple[str, str]]:
        run, approval, thread = names["run"], names["approval"], names["thread"]
        return {
            "read thread": ("GET", f"/threads/{thread}"),
            "delete thread": ("DELETE", f"/threads/{thread}"),
            "events": ("GET", f"/threads/{thread}/events"),
            "runs": ("GET", f"/threads/{thread}/runs"),
            "read run": ("GET", f"/runs/{run}"),
            "stop run": ("POST", f"/runs/{run}/stop"),
            "approval": ("POST", f"/runs/{run}/approvals/{approval}"),
        }

    with requests.Session() as web:
        web.trust_env = False
        async with websockets.connect(server.ws_url, proxy=None, additional_headers=headers) as socket:
            for number in range(42):
                for is_real in (True, False) if number % 2 else (False, True):
                    names = real if is_real else {kind: new_id() for kind in real}
                    for what, action in actions(names).items():
                        begin = time.perf_counter()
                        await socket.send(json.dumps({**action, "request_id": "r"}))
                        answer = json.loads(await socket.recv())
                        watch.note(what, is_real, time.perf_counter() - begin)
                        assert answer["request_id"] == "r"
                    for what, (method, path) in paths(names).items() if number % 2 else ():
                        begin = time.perf_counter()
                        body: Any = {"json": {"approved": True}} if what == "approval" else {}
                        response = await asyncio.to_thread(
                            web.request, method, f"{server.url}/api{path}", headers=headers, timeout=30, **body
                        )
                        watch.note(what, is_real, time.perf_counter() - begin)
                        assert response.status_code in (200, 404)
    differences = watch.differences()
    assert len(differences) == 12
    assert {what: ms for what, ms in differences.items() if ms > 20} == {}

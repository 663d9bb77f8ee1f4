"""`manage.py loadtest` against a real server: it sees what is well, and what is not."""

import asyncio
import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from netra.loadtest import report, verdict
from netra.loadtest.load import Load
from netra.loadtest.plan import Plan
from netra.loadtest.resuming_client import ResumingClient, journal_of
from servers.fixtures import StartServer
from servers.netra import ROOT, NetraServer

pytestmark = pytest.mark.timeout(300)
SMALL = ("--users", "3", "--tabs", "2", "--runs", "3", "--events", "60", "--run-seconds", "2", "--duration", "3")


@pytest.fixture
def server(start_server: StartServer) -> NetraServer:
    return start_server(env={"NETRA_AGENT_MODULES": "netra.agents.pulse"})


def loadtest(server: NetraServer, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", "loadtest", "--url", server.ws_url, *arguments],
        cwd=ROOT,
        env=server.installation.env,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_load__with_connections_cut__everything_is_there(server: NetraServer, tmp_path: Path) -> None:
    picture = tmp_path / "load.svg"
    done = loadtest(server, *SMALL, "--reconnects", "2", "--json", "--plot", str(picture))
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["ok"]
    assert found["cut_on_purpose"] > 0
    assert found["deliveries"] == 2 * found["journalled"] > 100
    assert set(found["runs"]) == {"agent_completed"}
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")  # noqa: S314 - our own file


def test_table__is_for_people(server: NetraServer) -> None:
    done = loadtest(server, *SMALL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every tab has every event, once and in order." in done.stdout
    assert "deliveries/s" in done.stderr  # progress, though this is no terminal


def test_agent_that_is_not_there__says_what_to_do(start_server: StartServer) -> None:
    done = loadtest(start_server(), *SMALL)
    assert done.returncode == 2
    assert "NETRA_AGENT_MODULES=netra.agents.pulse" in done.stderr
    assert "Traceback" not in done.stderr


def test_too_few_tokens__says_how_many(server: NetraServer, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("one\n")
    done = loadtest(server, *SMALL, "--tokens", str(tmp_path / "tokens"))
    assert done.returncode == 1
    assert "--tokens has 1 tokens, but --users needs 3" in done.stderr


async def test_verdict__on_what_a_tab_missed_got_twice_or_got_otherwise(
    server: NetraServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict, "CATCH_UP_SECONDS", 0.5)
    tokens = [await asyncio.to_thread(server.installation.token, f"user-{number}") for number in range(2)]
    load = Load(Plan((server.ws_url,), tuple(tokens), tabs=2, runs=2, events_per_second=40, run_seconds=1, duration=1))
    await load.run()
    try:
        assert (await verdict.judge(load)).kept
        thread = load.plan.threads_of(0)[0]
        texts = (await journal_of(server.ws_url, tokens[0], [thread]))[thread]
        first, second = (tab.client for tab in load.users[0].tabs)
        del first.oracle.threads[thread].texts[5]
        second._take(texts[-1])
        second.oracle.threads[thread].texts[2] = "something else"
        other = load.users[1].tabs[0].client.oracle.threads[load.plan.threads_of(1)[0]].texts
        other[len(other) + 1] = "never written"
        found = await verdict.judge(load)
    finally:
        await load.close()
    assert not found.kept
    assert (found.lost, found.duplicated, found.altered, found.unknown) == (1, 1, 1, 1)
    assert "A guarantee was BROKEN" in report.table(report.numbers(load, found))


async def test_client__of_threads_with_long_names__is_not_refused(server: NetraServer) -> None:
    """What it resumes is split: as one frame it would be larger than the server accepts."""
    token = server.installation.token("many")
    threads = {f"thread-{number:05}".ljust(128, "x") for number in range(1_100)}
    resumed: set[str] = set()
    finished = asyncio.Event()

    def note(frame: dict[str, Any], _: bool) -> None:
        if frame["event_type"] == "resumed":
            resumed.add(frame["thread_id"])
        if resumed == threads or frame["event_type"] == "error":
            finished.set()

    async with ResumingClient([server.ws_url], token, threads=threads, on_frame=note) as client, asyncio.timeout(60):
        await finished.wait()
    assert client.refused is None
    assert resumed == threads
    assert await journal_of(server.ws_url, token, threads) == {thread: [] for thread in threads}


async def test_client__told_to_come_later__does_not_hammer(server: NetraServer) -> None:
    """After `too_many_connections` it waits as long as the server asks, and longer."""
    token = server.installation.token("crowd")
    async with asyncio.timeout(60), contextlib.AsyncExitStack() as stack:
        for _ in range(20):
            tab = await stack.enter_async_context(ResumingClient([server.ws_url], token))
            await tab.connected.wait()
        refused = asyncio.Event()
        late = ResumingClient([server.ws_url], token, on_frame=lambda *_: refused.set())
        await stack.enter_async_context(late)
        await refused.wait()
        await asyncio.sleep(3)  # shorter than the server asks for; it used to come back five times meanwhile
        assert late.connects == 1


async def test_client__after_a_restored_backup__reads_everything_anew(server: NetraServer) -> None:
    """It names the epoch of its cursors, so that it is told; nothing it saw before is held against what comes."""
    token = server.installation.token("restored")
    seen: list[str] = []
    ended = asyncio.Event()

    def note(frame: dict[str, Any], fresh: bool) -> None:
        if fresh and frame.get("seq"):
            seen.append(frame["event_type"])
        if seen.count("agent_completed") == len(wanted):
            ended.set()

    wanted = ["before"]
    async with ResumingClient([server.ws_url], token, threads=["t"], on_frame=note) as client, asyncio.timeout(120):
        await client.connected.wait()
        assert await client.send(action="start_agent", agent_type="test", thread_id="t")
        await ended.wait()
        ended.clear()
        count = len(seen)
        wanted.append("anew")
        await asyncio.to_thread(server.installation.manage, "new_epoch")
        await ended.wait()
    assert seen == seen[:count] * 2
    assert client.violations == {}

"""The built-in demo through every fault of the injector: its user sees a whole run, or an honest end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from netra.testing.clock import Clock
from netra.testing.faults import Faults
from netra.testing.fixtures import MakeUserClient, RunAgent
from netra.testing.runs import FinishedRun

ASK = {"message": "Please approve: visitors\n1\n2\n3", "pace": 0}


@pytest.fixture(autouse=True)
def fast(settings: Any) -> None:
    settings.NETRA_DEMO_PACE = 0


def is_whole(run: FinishedRun) -> bool:
    return (run.status, run.error) == ("completed", None) and run.kinds[0] == "agent_started" and bool(run.answer)


async def test_no_fault(netra_run: RunAgent) -> None:
    run = await netra_run("demo", "hello world")
    assert is_whole(run)
    assert run.kinds.count("tool_executing") == run.kinds.count("tool_completed") > 1


@pytest.mark.parametrize("after", [pytest.param(n, marks=pytest.mark.netra_drop_socket(after=n)) for n in (1, 3, 9)])
async def test_socket_dropped(netra_run: RunAgent, after: int) -> None:
    run = await netra_run("demo", "hello world")
    assert is_whole(run)


@pytest.mark.netra_drop_socket(after=3)
async def test_socket_dropped__really(netra_user_client: MakeUserClient) -> None:
    client = await netra_user_client("ada")
    first = client.wire.socket
    assert is_whole(await client.run("demo", "hello world"))
    assert client.wire.socket is not first
    assert [frame["event_type"] for frame in client.wire.frames].count("resumed") == 1


async def test_socket_dropped_by_hand__the_run_goes_on_meanwhile(netra_user_client: MakeUserClient) -> None:
    client, other = await netra_user_client("ada"), await netra_user_client("ada")
    started = await client.start("demo", "hello world")
    await client.drop()
    await other.wire.send("resume", cursors={started.thread_id: 0})
    seen = await other.finish(started)
    await client.resume()
    assert (await client.finish(started)).events == seen.events


@pytest.mark.netra_kill_worker
async def test_worker_killed(netra_run: RunAgent) -> None:
    run = await netra_run("demo", "hello world")
    assert run.error is not None
    assert run.error.code == "worker_lost"
    assert run.kinds.count("tool_executing") == run.kinds.count("tool_completed") >= 1
    assert "cancelled" in [data["status"] for data in run.data("tool_completed")]


@pytest.mark.parametrize("kind", ["async", "sync"])
@pytest.mark.netra_kill_worker(in_tool="count")
async def test_worker_killed__an_agent_that_is_retried(netra_user_client: MakeUserClient, kind: str, make: Any) -> None:
    done: list[str] = []

    async def counts(ctx: Any, input: Any) -> int:
        async with ctx.tool("look"):
            pass
        try:
            async with ctx.tool("count"):
                done.append("counted")
        finally:
            done.append("left")
        return 3

    def counts_in_a_thread(ctx: Any, input: Any) -> int:
        with ctx.tool("look"):
            pass
        with ctx.tool("count"):
            done.append("counted")
        done.append("left")
        return 3

    make(counts if kind == "async" else counts_in_a_thread, on_loss="retry")
    client = await netra_user_client("ada")
    lost = await client.run("made")
    assert lost.error is not None
    assert lost.error.code == "worker_lost"
    assert lost.retried_as is not None
    again = await client.finish(lost.retried_as)
    assert (again.status, again.result, done) == ("completed", 3, ["counted", "left"])


@pytest.mark.netra_kill_worker(in_tool="die")
async def test_worker_killed__what_the_agent_does_beside_stands_still(
    netra_user_client: MakeUserClient, make: Any
) -> None:
    raised: list[Exception] = []

    async def think(ctx: Any) -> None:
        try:
            while True:
                await ctx.think("still here")
                await asyncio.sleep(0)
        except Exception as error:
            raised.append(error)
            raise

    async def dies(ctx: Any, input: Any) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(think(ctx))
            async with ctx.tool("die"):
                pass

    make(dies)
    client = await netra_user_client("ada")
    lost = await client.run("made")
    assert lost.error is not None
    assert lost.error.code == "worker_lost"
    assert (await client.run("test")).status == "completed"
    assert raised == []


@pytest.mark.parametrize(
    "how",
    [
        pytest.param("doubled", marks=pytest.mark.netra_bell(doubled=True)),
        pytest.param("delayed", marks=pytest.mark.netra_bell(delayed=0.1)),
        pytest.param("both", marks=pytest.mark.netra_bell(doubled=True, delayed=0.1)),
        pytest.param("lost", marks=pytest.mark.netra_bell(lost=True)),
    ],
)
async def test_bell(netra_run: RunAgent, how: str, settings: Any) -> None:
    settings.NETRA_WATCHDOG_SECONDS = 0.1
    assert is_whole(await netra_run("demo", "hello world"))


@pytest.mark.netra_database_away(after=3, seconds=0.5)
async def test_database_away(netra_run: RunAgent, netra_faults: Faults) -> None:
    run = await netra_run("demo", "hello world")
    assert is_whole(run)
    assert not netra_faults.database.away
    assert netra_faults.database.refused > 0


async def test_approval__answered_or_expired(netra_user_client: MakeUserClient, netra_clock: Clock) -> None:
    client = await netra_user_client("ada")
    started = await client.start("demo", ASK)
    question = await client.approval(started)
    await client.answer(question, approved=True)
    assert (await client.finish(started)).data("approval_resolved")[0]["by"] == "user"
    started = await client.start("demo", ASK)
    await client.approval(started)
    await netra_clock.advance(hours=23)
    assert (await client.approval(started)).run_id == started.run_id
    await netra_clock.advance(hours=2)
    assert (await client.finish(started)).data("approval_resolved")[0]["by"] == "expired"


async def test_stop(netra_user_client: MakeUserClient) -> None:
    client = await netra_user_client("ada")
    started = await client.start("demo", ASK)
    await client.approval(started)
    assert (await client.stop(started)).status == "cancelled"

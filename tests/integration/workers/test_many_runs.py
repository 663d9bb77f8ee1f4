"""Many runs at once, through real servers and workers: none is lost, doubled, overtaken or beside another of its
thread. `benchmarks/runs.py` does the same with thousands, and measures.
"""

import asyncio
import json
import statistics
import time
from contextlib import AsyncExitStack
from typing import Any

import pytest

from integration.workers.farm import Farm
from servers.process import wait_for
from test_framework.gateway import kinds
from websocket_core.ids import new_id
from websocket_core.testing.sockets import Client

pytestmark = [pytest.mark.timeout(300)]
SECONDS = 60.0
SOCKETS = 20


@pytest.fixture
async def sockets(farm: Farm):
    """Twenty sockets, on two servers."""
    farm.start(servers=2, workers=2)
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(farm.client(number % 2)) for number in range(SOCKETS)]


async def test_a_backlog_drains__each_run_once_in_order_one_at_a_time(farm: Farm, client: Client) -> None:
    threads = [new_id() for _ in range(20)]
    runs = {thread_id: [new_id() for _ in range(5)] for thread_id in threads}
    how = {"agent_type": "quick", "input": {"gate": "backlog"}}
    for turn in range(5):
        for thread_id in threads:
            await client.send("start_agent", thread_id=thread_id, run_id=runs[thread_id][turn], **how)
    await client.ask("ping")  # they are all recorded
    farm.open("backlog")
    for thread_id in threads:
        for run_id in runs[thread_id]:
            events = await client.finish({"thread_id": thread_id, "run_id": run_id}, SECONDS)
            assert events[-1]["event_type"] == "agent_completed", events[-1]
            assert farm.traces(run_id) == ["ran"]
        started = [e["run_id"] for e in client.oracle.transcript(thread_id) if e["event_type"] == "agent_started"]
        assert started == runs[thread_id]
    pauses = farm.rows(
        "SELECT extract(epoch FROM next.started_at - run.finished_at) "
        "FROM netra_agents_run run JOIN netra_agents_run next "
        "ON next.thread_id = run.thread_id AND next.id = (SELECT min(id) FROM netra_agents_run later "
        "WHERE later.thread_id = run.thread_id AND later.id > run.id) "
        "JOIN websocket_core_thread thread ON thread.id = run.thread_id WHERE thread.thread_id = ANY(%s)",
        [threads],
    )
    assert len(pauses) == 80
    assert statistics.median(float(pause) for (pause,) in pauses) < 0.2


async def test_start__nobody_waits_for_a_poll(farm: Farm, client: Client) -> None:
    farm.open("open")
    waited = []
    for _ in range(10):
        began = time.monotonic()
        run = await client.start("quick")
        waited.append(time.monotonic() - began)
        await client.finish(run, SECONDS)
    assert statistics.median(waited) < 1, waited  # procrastinate polls every 5 s


async def start_everywhere(
    sockets: list[Client], gate: str, **fields: Any
) -> tuple[str, list[str], list[dict[str, Any]]]:
    """Start a run from every socket at once in one thread, each twice, from two sockets.

    Returns:
        The thread, the runs' ids, and the errors that came.
    """
    thread_id, run_ids = new_id(), [new_id() for _ in sockets]
    fields |= {"agent_type": "quick", "thread_id": thread_id, "input": {"gate": gate}}
    await asyncio.gather(
        *(
            socket.send("start_agent", run_id=run_id, request_id=run_id, **fields)
            for number, run_id in enumerate(run_ids)
            for socket in (sockets[number], sockets[number - 7])
        )
    )
    errors = []
    for socket in sockets:  # actions of one socket apply in order: its starts are decided when the ping is answered
        await socket.ask("ping")
        errors += [frame for frame in socket.frames if frame["event_type"] == "error"]
    return thread_id, run_ids, errors


async def whole(sockets: list[Client], thread_id: str, count: int) -> list[dict[str, Any]]:
    """The thread's events, when so many of its runs are over: the same on every socket."""
    transcripts = []
    for socket in sockets:
        async with asyncio.timeout(SECONDS):
            while sum(run.over for (thread, _), run in socket.oracle.runs.items() if thread == thread_id) < count:
                await socket.receive_json(SECONDS)
        transcripts.append(socket.oracle.transcript(thread_id))
    assert all(transcript == transcripts[0] for transcript in transcripts)
    return transcripts[0]


def of_type(transcript: list[dict[str, Any]], event_type: str) -> list[str]:
    """The runs of these events, in order."""
    return [event["run_id"] for event in transcript if event["event_type"] == event_type]


async def test_twenty_starts_at_once__enqueue(farm: Farm, sockets: list[Client]) -> None:
    thread_id, run_ids, errors = await start_everywhere(sockets, "enqueue")
    assert errors == []
    farm.open("enqueue")
    transcript = await whole(sockets, thread_id, SOCKETS)
    assert [e["data"]["position"] for e in transcript if e["event_type"] == "run_queued"] == list(range(1, SOCKETS))
    started = of_type(transcript, "agent_started")
    assert sorted(started) == sorted(run_ids)
    assert of_type(transcript, "run_queued") == started[1:], "first in, first out"
    assert of_type(transcript, "agent_completed") == started
    assert all(farm.traces(run_id) == ["ran"] for run_id in run_ids)


async def test_twenty_starts_at_once__reject(farm: Farm, sockets: list[Client]) -> None:
    thread_id, run_ids, errors = await start_everywhere(sockets, "reject", if_busy="reject")
    farm.open("reject")
    transcript = await whole(sockets, thread_id, 1)
    (winner,) = of_type(transcript, "agent_started")
    assert kinds(transcript) == ["agent_started", "agent_completed"]
    # Each of the others was sent twice, and refused twice.
    assert sorted(error["request_id"] for error in errors) == sorted([one for one in run_ids if one != winner] * 2)
    assert {(error["code"], error["active_run_id"]) for error in errors} == {("thread_busy", winner)}
    assert [len(farm.traces(run_id)) for run_id in run_ids] == [run_id == winner for run_id in run_ids]


async def test_twenty_starts_at_once__cancel(farm: Farm, sockets: list[Client]) -> None:
    thread_id, run_ids, errors = await start_everywhere(sockets, "cancel", if_busy="cancel")
    assert errors == []
    farm.open("cancel")
    transcript = await whole(sockets, thread_id, SOCKETS)
    (last,) = of_type(transcript, "agent_completed")
    assert sorted(of_type(transcript, "agent_cancelled")) == sorted(run_id for run_id in run_ids if run_id != last)
    newest = farm.rows("SELECT run_id FROM netra_agents_run WHERE run_id = ANY(%s) ORDER BY id DESC LIMIT 1", [run_ids])
    assert newest == [(last,)]
    assert {e["data"]["reason"] for e in transcript if e["event_type"] == "agent_cancelled"} == {"replaced"}


@pytest.mark.parametrize(
    ("where", "event_type"),
    [
        ("in a tool", "tool_executing"),
        ("thinking", "agent_thinking"),
        ("waiting for an answer", "approval_requested"),
    ],
)
async def test_stopped_from_a_tab_at_another_server__the_agent_in_its_worker_is_cancelled(
    farm: Farm, sockets: list[Client], where: str, event_type: str
) -> None:
    one, other = sockets[:2]
    run = await one.start("stoppable", input={"where": where})
    await one.until(event_type)
    began = time.monotonic()
    await other.send("stop_agent", run_id=run["run_id"], reason="enough")
    await other.send("stop_agent", run_id=run["run_id"], reason="again")  # twice is no error, or comes too late
    events = await one.finish(run, SECONDS)
    assert time.monotonic() - began < 5
    assert (events[-1]["event_type"], events[-1]["data"]) == ("agent_cancelled", {"reason": "enough"})
    assert farm.traces(run["run_id"]) == ["cancelled"]
    assert await other.finish(run, SECONDS) == events


async def test_ten_tabs_decide_at_once__one_counts_and_the_tool_runs_once_or_never(
    farm: Farm, sockets: list[Client]
) -> None:
    tabs = sockets[:10]
    run = await tabs[0].start("sells")
    asked = [(await tab.until("approval_requested"))["data"] for tab in tabs]
    assert all(data == asked[0] for data in asked)
    await asyncio.gather(
        *(
            tab.send("respond", run_id=run["run_id"], approval_id=asked[0]["approval_id"], approved=number % 2 == 0)
            for number, tab in enumerate(tabs)
        )
    )
    refused = []
    for tab in tabs:
        events = await tab.finish(run, SECONDS)
        await tab.ask("ping")
        refused += [frame for frame in tab.frames if frame["event_type"] == "error"]
    (resolved,) = [event["data"] for event in events if event["event_type"] == "approval_resolved"]
    assert [frame["code"] for frame in refused] == ["already_decided"] * 9
    assert [frame["decision"] for frame in refused] == [{"approved": resolved["approved"], "value": None}] * 9
    assert events[-1]["data"]["result"] is resolved["approved"]
    assert farm.traces(run["run_id"]) == ["sold"] * resolved["approved"]
    decided = farm.rows(
        "SELECT d.approved, d.by FROM netra_agents_decision d JOIN netra_agents_approval a ON a.id = d.approval_id "
        "WHERE a.approval_id = %s",
        [asked[0]["approval_id"]],
    )
    assert decided == [(resolved["approved"], "user")]


async def test_everything_is_killed_while_people_are_asked__the_questions_stay_and_are_answered(farm: Farm) -> None:
    runs, asked = {}, {}
    async with farm.client() as client:
        for agent in ("seller", "selling-graph"):
            runs[agent] = await client.start(agent, input={"message": "Sell the boat"})
            asked[agent] = (await client.until("approval_requested"))["data"]
        run_ids = [run["run_id"] for run in runs.values()]
        resting = "SELECT count(*) FROM netra_agents_run WHERE resting AND run_id = ANY(%s)"
        # A run rests right after its request, in a commit of its own.
        await asyncio.to_thread(wait_for, lambda: farm.rows(resting, [run_ids]) == [(2,)], SECONDS, "resting")
    farm.kill()
    await asyncio.to_thread(farm.start, 1, 1)
    async with farm.client() as client:
        for agent, run in runs.items():
            await client.send("resume", cursors={run["thread_id"]: 0})
            assert (await client.until("approval_requested"))["data"] == asked[agent]
            approval_id = asked[agent]["approval_id"]
            await client.send("respond", run_id=run["run_id"], approval_id=approval_id, approved=True)
            events = await client.finish(run, SECONDS)
            assert "sold boat" in json.dumps(events[-1]["data"]["result"])

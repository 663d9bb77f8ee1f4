"""Workers that vanish: killed in the middle, or paused for longer than their leases. Real processes, real signals."""

import asyncio
import signal
from typing import Any

import pytest

from integration.workers.farm import CONCURRENCY, Farm
from servers.process import ServerProcess, wait_for
from test_framework.gateway import kinds
from websocket_core.ids import new_id
from websocket_core.testing.sockets import Client

pytestmark = [pytest.mark.timeout(300)]
SECONDS = 60.0  # every run of a lost worker has to be over by then


async def occupy(farm: Farm, client: Client, gate: str, agents: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Fill both workers with runs that stay until the gate is open; their `agent_started`, by thread."""
    started: dict[str, dict[str, Any]] = {}
    for number in range(2 * CONCURRENCY):
        thread_id = new_id()
        agent = agents[number % len(agents)]
        await client.send("start_agent", agent_type=agent, thread_id=thread_id, run_id=new_id(), input={"gate": gate})
    while len(started) < 2 * CONCURRENCY:
        event = await client.until("agent_started", 60)
        started[event["thread_id"]] = event
    return started


async def test_killed_with_ten_running_and_five_queued(farm: Farm, client: Client) -> None:
    started = await occupy(farm, client, "killed", ("steady", "asks", "again", "steady", "steady"))
    lost, other = farm.running_workers()
    victims = farm.runs_of(lost)
    assert len(victims) == CONCURRENCY, "one worker has taken more than it was to have at once"
    survivors = farm.runs_of(other)
    # Five wait behind runs of the one that is killed, five for a place in any worker; none has started.
    behind = {thread_id: new_id() for thread_id in list(victims)[:5]}
    for thread_id, run_id in behind.items():
        await client.send(
            "start_agent", agent_type="steady", thread_id=thread_id, run_id=run_id, input={"gate": "next"}
        )
        await client.until("run_queued", run_id=run_id)
    fresh = {new_id(): new_id() for _ in range(5)}
    for thread_id, run_id in fresh.items():
        await client.send(
            "start_agent", agent_type="steady", thread_id=thread_id, run_id=run_id, input={"gate": "next"}
        )
    lost.kill()

    retried: dict[str, str] = {}
    for thread_id, run_id in victims.items():
        events = await client.finish({"thread_id": thread_id, "run_id": run_id}, SECONDS)
        agent = started[thread_id]["data"]["agent_type"]
        end = events[-1]["data"]
        assert (events[-1]["event_type"], end["code"]) == ("agent_failed", "worker_lost")
        if agent == "asks":
            assert kinds(events)[1:] == ["approval_requested", "approval_resolved", "agent_failed"]
            assert events[-2]["data"]["by"] == "cancelled"
        else:
            assert kinds(events)[1:] == ["tool_executing", "tool_completed", "agent_failed"]
            assert events[-2]["data"]["status"] == "cancelled"
            assert farm.traces(run_id) == ["began"], "it was executed again"
        assert ("retried_as" in end) == (agent == "again")
        if agent == "again":
            retried[thread_id] = end["retried_as"]
    for gate in ("killed", "next"):
        farm.open(gate)
    for thread_id, run_id in (*behind.items(), *fresh.items(), *retried.items()):
        events = await client.finish({"thread_id": thread_id, "run_id": run_id}, SECONDS)
        assert events[-1]["event_type"] == "agent_completed"
        assert farm.traces(run_id) == ["began", "ended"]
    for thread_id, run_id in survivors.items():
        if started[thread_id]["data"]["agent_type"] == "asks":
            await client.send("stop_agent", run_id=run_id)
        events = await client.finish({"thread_id": thread_id, "run_id": run_id}, SECONDS)
        assert events[-1]["event_type"] in ("agent_completed", "agent_cancelled")
    assert len(retried) == len([t for t in victims if started[t]["data"]["agent_type"] == "again"]) > 0
    # What procrastinate had given to the dead worker is cleared away.
    await asyncio.to_thread(wait_for, lambda: farm.jobs("doing") + farm.jobs("todo") == 0, SECONDS, "an empty queue")


async def test_paused_for_longer_than_its_leases__wakes_up_and_writes_nothing(farm: Farm, client: Client) -> None:
    await occupy(farm, client, "paused", ("steady",))
    zombie, other = farm.running_workers()
    victims, survivors = farm.runs_of(zombie), farm.runs_of(other)
    assert victims
    zombie.signal(signal.SIGSTOP)
    for thread_id, run_id in victims.items():
        events = await client.finish({"thread_id": thread_id, "run_id": run_id}, SECONDS)
        assert events[-1]["data"]["code"] == "worker_lost"
    farm.open("paused")  # what it does first when it wakes up is to finish its work
    for thread_id, run_id in survivors.items():
        events = await client.finish({"thread_id": thread_id, "run_id": run_id}, SECONDS)
        assert events[-1]["event_type"] == "agent_completed"
    before = farm.events()
    said = len(zombie.output())
    zombie.signal(signal.SIGCONT)
    await asyncio.to_thread(wait_for, lambda: _noticed(zombie, said) == len(victims), SECONDS, "the zombie's surprise")
    assert farm.events() == before
    ended = farm.rows("SELECT status, code FROM netra_agents_run WHERE run_id = ANY(%s)", [list(victims.values())])
    assert ended == [("failed", "worker_lost")] * len(victims)
    assert {tuple(farm.traces(run_id)) for run_id in victims.values()} <= {("began",), ("began", "ended")}
    # The threads go on, and the one that was away is a worker like any other.
    for thread_id in victims:
        run = await client.start("steady", thread_id=thread_id, input={"gate": "paused"})
        assert (await client.finish(run, SECONDS))[-1]["event_type"] == "agent_completed"


def _noticed(worker: ServerProcess, said: int) -> int:
    """How many runs a worker has found to be somebody else's."""
    return worker.output()[said:].count("the lease was lost")

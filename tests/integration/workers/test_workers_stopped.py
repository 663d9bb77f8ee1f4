"""Workers that are asked to end, and agents that block theirs. Real processes, real signals."""

import asyncio
import signal
import statistics
import time

import pytest

from integration.workers.farm import Farm
from servers.process import wait_for
from test_framework.gateway import kinds
from websocket_core.ids import new_id
from websocket_core.testing.sockets import Client

pytestmark = [pytest.mark.timeout(300)]
SECONDS = 60.0
DRAIN_SECONDS = 3.0  # of the farm


async def test_sigterm__finishes_what_it_can_gives_back_the_rest_and_stops_what_is_left(
    farm: Farm, client: Client
) -> None:
    leaving, staying = farm.running_workers()
    staying.signal(signal.SIGSTOP)  # so that every run is with the other one
    gates = {new_id(): gate for gate in ["sigterm"] * 3 + ["never"] * 3}
    runs = {}
    for thread_id, gate in gates.items():
        runs[thread_id] = (await client.start("steady", thread_id=thread_id, input={"gate": gate}))["run_id"]
    waits = {}  # behind each of them
    for thread_id in gates:
        waits[thread_id] = new_id()
        await client.send(
            "start_agent", agent_type="steady", thread_id=thread_id, run_id=waits[thread_id], input={"gate": "sigterm"}
        )
        await client.until("run_queued", run_id=waits[thread_id])
    assert farm.runs_of(leaving) == runs
    staying.signal(signal.SIGCONT)
    leaving.signal(signal.SIGTERM)
    farm.open("sigterm")
    assert await asyncio.to_thread(leaving.wait, SECONDS) == 0
    for thread_id, run_id in runs.items():
        events = await client.finish({"thread_id": thread_id, "run_id": run_id}, SECONDS)
        if gates[thread_id] == "sigterm":
            assert events[-1]["event_type"] == "agent_completed"
            continue
        assert (events[-1]["event_type"], events[-1]["data"]["code"]) == ("agent_failed", "server_stopped")
        assert kinds(events)[1:] == ["tool_executing", "tool_completed", "agent_failed"]
        assert farm.traces(run_id) == ["began"]
    for thread_id, run_id in waits.items():
        events = await client.finish({"thread_id": thread_id, "run_id": run_id}, SECONDS)
        assert kinds(events)[0] == "run_queued"
        assert events[-1]["event_type"] == "agent_completed"
        assert farm.traces(run_id) == ["began", "ended"], "what had not started is executed once, by the other worker"
    assert "Traceback" not in leaving.output()


async def test_second_sigterm__ends_at_once(farm: Farm, client: Client) -> None:
    leaving, staying = farm.running_workers()
    staying.signal(signal.SIGSTOP)
    run = await client.start("steady", input={"gate": "second"})
    staying.signal(signal.SIGCONT)
    leaving.signal(signal.SIGTERM)
    await asyncio.sleep(0.2)  # two signals of one kind that come together are one
    leaving.signal(signal.SIGTERM)
    began = time.monotonic()
    assert await asyncio.to_thread(leaving.wait, SECONDS) != 0
    assert time.monotonic() - began < DRAIN_SECONDS - 0.5
    assert (await client.finish(run, SECONDS))[-1]["data"]["code"] == "worker_lost"


async def test_sigterm__a_thread_that_sleeps_for_ten_minutes_holds_nobody_up(farm: Farm, client: Client) -> None:
    leaving, staying = farm.running_workers()
    staying.signal(signal.SIGSTOP)
    run = await client.start("sleeps")
    await client.until("agent_thinking")
    staying.signal(signal.SIGCONT)
    assert await asyncio.to_thread(leaving.terminate, SECONDS) == 0
    assert (await client.finish(run, SECONDS))[-1]["data"]["code"] == "server_stopped"


async def test_an_agent_that_blocks_its_worker__sockets_do_not_feel_it_and_the_log_names_it(
    farm: Farm, client: Client
) -> None:
    run = await client.start("blocks", input={"seconds": 3})
    await client.until("agent_thinking")
    waited = []
    async with farm.client() as other:
        until = time.monotonic() + 3
        while time.monotonic() < until:
            began = time.monotonic()
            await other.ask("ping")
            waited.append(time.monotonic() - began)
    assert (await client.finish(run, SECONDS))[-1]["event_type"] == "agent_completed"
    assert statistics.median(waited) < 0.3, f"{sorted(waited)[-5:]}"

    def named() -> bool:
        lines = [line for worker in farm.running_workers() for line in worker.output().splitlines()]
        return any("blocked the event loop" in line and run["run_id"] in line and "blocks" in line for line in lines)

    await asyncio.to_thread(wait_for, named, 10, "a line in the log")

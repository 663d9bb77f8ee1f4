"""A start that is sent again, in the worst moment: the client still sees the whole run."""

from typing import Any

import pytest

from netra.agents.ledger.leases import ClaimRun
from netra.agents.service import RunRuntime, get_runtime
from test_framework.gateway import kinds
from test_framework.ssot.factories import GOOGLE
from websocket_core.gateway import get_gateway
from websocket_core.process.heartbeat import this_process

pytestmark = pytest.mark.django_db(transaction=True)


class Later:
    """An executor that leaves runs to somebody else."""

    claims_at_start = False
    supports_transactional_enqueue = True

    def enqueue(self, run: Any, *, again: bool = False) -> None:
        """Somebody will come by."""

    def check(self) -> list[Any]:
        return []


async def test_sent_again_before_its_first_event__begins_with_that_event(join, monkeypatch, settings):
    """The run starts between the look at the run and the look at its thread's head."""
    settings.NETRA_EXECUTOR = f"{__name__}.Later"
    client, again = await join(), await join()
    await client.send("start_agent", agent_type="test", thread_id="t", run_id="r")
    await client.ask("ping")  # it is recorded, and has no event
    real = RunRuntime.thread_states

    async def meanwhile(self: Any, *whose: Any) -> Any:
        lease = await get_gateway().journal.submit(ClaimRun(GOOGLE, "t", this_process.process_id))
        if lease is not None:
            get_runtime().dispatcher.execute(lease)
        return await real(self, *whose)

    monkeypatch.setattr(RunRuntime, "thread_states", meanwhile)
    await again.send("start_agent", agent_type="test", thread_id="t", run_id="r")
    events = await again.finish({"thread_id": "t", "run_id": "r"})
    assert kinds(events)[0] == "agent_started"


async def test_sent_again_while_earlier_events_wait_to_be_sent__skips_none_of_them(join, settings):
    settings.NETRA_FIRST_ACTION_SECONDS = 60  # until its first action a client is sent nothing
    client, again = await join(), await join()
    for run_id in ("r1", "r2"):
        await client.finish(await client.start("test", thread_id="t", run_id=run_id))
    await again.send("start_agent", agent_type="test", thread_id="t", run_id="r2")
    await again.finish({"thread_id": "t", "run_id": "r2"})
    assert again.oracle.transcript("t") == client.oracle.transcript("t")


async def test_stopped_before_a_worker_came__what_waits_behind_it_is_next(join, settings):
    settings.NETRA_EXECUTOR = f"{__name__}.Later"
    client = await join()
    for run_id in ("r1", "r2"):
        await client.send("start_agent", agent_type="test", thread_id="t", run_id=run_id)
    await client.send("stop_agent", run_id="r1")
    assert kinds(await client.finish({"thread_id": "t", "run_id": "r1"})) == ["run_queued", "agent_cancelled"]
    lease = await get_gateway().journal.submit(ClaimRun(GOOGLE, "t", this_process.process_id))  # the first one's job
    assert lease is not None
    assert lease.run_id == "r2"
    get_runtime().dispatcher.execute(lease)
    events = await client.finish({"thread_id": "t", "run_id": "r2"})
    assert kinds(events)[-1] == "agent_completed"

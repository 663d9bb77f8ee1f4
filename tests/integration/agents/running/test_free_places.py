"""However a thread's place becomes free, what waits behind begins at once: not when somebody looks by itself."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from integration.agents.adapters.runs import Runs
from netra.agents import BaseAgent, Rest
from netra.agents.models import Approval, Run
from netra.agents.service import get_runtime, request_stop
from websocket_core.database import db
from websocket_core.gateway import get_gateway

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def runs(settings, make) -> Runs:
    """Nobody looks by itself for as long as a test lasts."""
    settings.NETRA_LOOK_SECONDS = settings.NETRA_SWEEP_SECONDS = 600.0

    class Rests(BaseAgent):
        async def run(self, ctx: Any, input: Any) -> Any:
            await ctx.request_approval("Go on?", expires_in=input.get("expires_in", 600))
            return Rest(b"")

        async def proceed(self, ctx: Any, memory: bytes, decisions: Any) -> str:
            return "went on"

    async def follows(ctx: Any, input: Any) -> str:
        return "done"

    async def hangs(ctx: Any, input: Any) -> None:
        await asyncio.Event().wait()

    make(Rests, name="rests")
    make(follows, name="follows")
    make(hangs, name="hangs", timeout=0.3)
    return Runs()


async def rest_with_one_behind(runs: Runs, **input: Any) -> tuple[str, str]:
    """A resting run, and a run that is queued behind it."""
    first = await runs.start("rests", input, "t")
    await runs.rests(first)
    return first, await runs.start("follows", {}, "t")


async def test_stop__of_a_resting_run(runs):
    first, behind = await rest_with_one_behind(runs)
    await runs.stop(first)
    assert (await runs.over(behind)).types[-1] == "agent_completed"


async def test_stop__by_the_admin(runs):
    get_gateway().serve()  # another thread than the loop's stops it: the loop's taker hears of it
    first, behind = await rest_with_one_behind(runs)
    assert await db.write(lambda: request_stop(Run.objects.get(run_id=first), "", actor_id="1"))
    assert (await runs.over(behind)).types[-1] == "agent_completed"


async def test_replaced__by_a_newer_start(runs):
    first, behind = await rest_with_one_behind(runs)
    newest = await runs.start("follows", {}, "t", if_busy="cancel")
    assert (await runs.over(newest)).types[-1] == "agent_completed"
    for run_id in (first, behind):
        assert (await runs.over(run_id)).types[-1] == "agent_cancelled"


async def test_answered__the_resting_run_goes_on(runs):
    first, behind = await rest_with_one_behind(runs)
    (approval,) = await runs.rests(first)
    await runs.respond(approval, approved=True)
    assert (await runs.over(behind)).types[-1] == "agent_completed"


async def test_answered_too_late__the_resting_run_goes_on(runs):
    """The answer voids the question, and the run must hear of that."""
    first, behind = await rest_with_one_behind(runs)
    (approval,) = await runs.rests(first)
    past = datetime.now(UTC) - timedelta(seconds=1)
    await db.write(lambda: Approval.objects.update(expires_at=past))
    with pytest.raises(Exception, match="decided"):
        await runs.respond(approval, approved=True)
    assert (await runs.over(behind)).types[-1] == "agent_completed"


async def test_expired__the_resting_run_goes_on(runs):
    _, behind = await rest_with_one_behind(runs)
    await db.write(lambda: Approval.objects.update(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    await get_runtime().sweeper.sweep()
    assert (await runs.over(behind)).types[-1] == "agent_completed"


async def test_its_time_is_over(runs):
    began = time.monotonic()
    await runs.start("hangs", {}, "t")
    behind = await runs.start("follows", {}, "t")
    assert (await runs.over(behind)).types[-1] == "agent_completed"
    assert time.monotonic() - began < 30


async def test_its_worker_is_lost(runs):
    first, behind = await rest_with_one_behind(runs)
    past = datetime.now(UTC) - timedelta(minutes=1)
    await db.write(
        lambda: Run.objects.filter(run_id=first).update(
            resting=False, status="running", lease_until=past, worker_id="gone"
        )
    )
    await get_runtime().sweeper.sweep()
    assert (await runs.over(behind)).types[-1] == "agent_completed"

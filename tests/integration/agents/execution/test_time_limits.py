"""How long runs may take: a person's time to think is not theirs, and what waits for one can be stopped."""

import asyncio
import threading

import pytest

from netra.agents.ledger import reading as run_reads
from netra.agents.models import Run
from test_framework.gateway import kinds
from websocket_core.database import db
from websocket_core.errors import RunOverError

pytestmark = pytest.mark.django_db(transaction=True)
LIMIT = 0.6  # seconds


async def test_a_person_who_thinks_longer_than_the_limit__does_not_fail_the_run(join, make):
    async def body(ctx, input):
        decision = await ctx.approve("May I?")
        return decision.approved

    make(body, timeout=LIMIT)
    client = await join()
    run = await client.start("made")
    approval_id = (await client.until("approval_requested"))["data"]["approval_id"]
    assert await client.receive_nothing(LIMIT * 2)
    await client.send("respond", run_id=run["run_id"], approval_id=approval_id, approved=True)
    events = await client.finish(run)
    assert (events[-1]["event_type"], events[-1]["data"].get("result")) == ("agent_completed", True)


async def test_two_questions_at_once__the_clock_stands_still_until_both_are_answered(join, make):
    async def body(ctx, input):
        await asyncio.gather(ctx.approve("May I?"), ctx.approve("And may I?"))

    make(body, timeout=LIMIT)
    client = await join()
    run = await client.start("made")
    approvals = [(await client.until("approval_requested"))["data"]["approval_id"] for _ in range(2)]
    for approval_id in approvals:
        await client.send("respond", run_id=run["run_id"], approval_id=approval_id, approved=True)
        if approval_id is approvals[0]:
            await client.until("approval_resolved")
            assert await client.receive_nothing(LIMIT * 2)
    assert (await client.finish(run))[-1]["event_type"] == "agent_completed"


async def test_after_the_answer__the_rest_of_the_time_counts(join, make):
    async def body(ctx, input):
        await ctx.approve("May I?")
        await asyncio.Event().wait()

    make(body, timeout=LIMIT)
    client = await join()
    run = await client.start("made")
    approval_id = (await client.until("approval_requested"))["data"]["approval_id"]
    await client.send("respond", run_id=run["run_id"], approval_id=approval_id, approved=False)
    events = await client.finish(run)
    assert (events[-1]["event_type"], events[-1]["data"]["code"]) == ("agent_failed", "timeout")


async def test_a_sync_body_has_a_limit_too(join, make):
    let_go = threading.Event()

    def body(ctx, input):
        with ctx.tool("search"):
            let_go.wait(20)

    make(body, timeout=LIMIT)
    client = await join()
    events = await client.finish(await client.start("made"))
    let_go.set()
    assert kinds(events)[1:] == ["tool_executing", "tool_completed", "agent_failed"]
    assert events[-1]["data"]["code"] == "timeout"


@pytest.mark.parametrize("waits", ["for an answer", "to be told"])
async def test_a_stopped_sync_body_gets_its_thread_back(join, make, monkeypatch, waits):
    monkeypatch.setattr(run_reads, "decisions", lambda keys: {})  # nobody comes by with the answer any more
    ended: list[BaseException] = []
    over = threading.Event()

    def body(ctx, input):
        try:
            if waits == "for an answer":
                ctx.approve("May I?")
            while not ctx.cancelled:
                over.wait(0.01)
            ctx.think("too late")
        except RunOverError as error:
            ended.append(error)
            raise
        finally:
            over.set()

    make(body)
    client = await join()
    run = await client.start("made")
    if waits == "for an answer":
        await client.until("approval_requested")
    await client.send("stop_agent", run_id=run["run_id"])
    events = await client.finish(run)
    assert events[-1]["event_type"] == "agent_cancelled"
    assert await asyncio.to_thread(over.wait, 10), "its thread still waits"
    assert len(ended) == 1
    assert await db.read(lambda: Run.objects.get().status) == "cancelled"

"""Every ending says why, and what was used until then."""

import asyncio
from typing import Any

import pytest
from django.db.models.functions import Now

from netra.agents import AgentError, BaseAgent, ModelRefused, ModelUnavailable, Rest, UsageLimitReached
from netra.agents.executors.inline import InlineExecutor
from netra.agents.ledger.endings import ReapRun
from netra.agents.models import Run
from netra.agents.service import get_runtime
from test_framework.gateway import kinds, outcome
from websocket_core.database import db
from websocket_core.gateway import get_gateway

pytestmark = pytest.mark.django_db(transaction=True)

USAGE = {"input_tokens": 7, "output_tokens": 3}


class Declined(ModelRefused):
    """An author's own kind of refusal."""


class Odd(AgentError):
    """Its code is none of the wire's, and it forgets its parent."""

    code = "payment_failed"

    def __init__(self) -> None:
        Exception.__init__(self, "No money.")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ModelRefused(), {"code": "refused"}),
        (Declined("Not this."), {"code": "refused", "message": "Not this."}),
        (ModelUnavailable(retry_after_ms=1500), {"code": "model_unavailable", "retry_after_ms": 1500}),
        (ModelUnavailable(), {"code": "model_unavailable", "retry_after_ms": None}),
        (ModelUnavailable(retry_after_ms=-1), {"code": "model_unavailable", "retry_after_ms": None}),
        (UsageLimitReached(), {"code": "usage_limit"}),
        (AgentError("Later."), {"code": "agent_error", "message": "Later."}),
        (Odd(), {"code": "agent_error", "message": "No money."}),
    ],
)
async def test_failure__has_a_code_and_a_sentence(join, make, error, expected) -> None:
    async def body(ctx, input):
        raise error

    make(body)
    _, end = await outcome(join)
    assert end["type"] == "agent_failed"
    assert {key: end.get(key) for key in expected} == expected
    assert end["message"].endswith(".")
    assert "Incident" not in end["message"]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("length", "length"), ("content_filter", "content_filter"), ("stop", None), ("tool_calls", None), (None, None)],
)
async def test_finish_reason__of_a_model_that_was_cut_short(join, make, reason, expected) -> None:
    async def body(ctx, input):
        ctx.report_finish_reason("length")  # of an earlier answer
        ctx.report_finish_reason(reason)
        return "half an ans"

    make(body)
    _, end = await outcome(join)
    assert (end["type"], end.get("finish_reason")) == ("agent_completed", expected)


@pytest.mark.parametrize("result", [None, "", " \n"])
async def test_an_empty_refusal__is_no_completed_run(join, make, result) -> None:
    async def body(ctx, input):
        ctx.report_finish_reason("content_filter")
        return result

    make(body)
    _, end = await outcome(join)
    assert (end["type"], end["code"]) == ("agent_failed", "refused")


async def test_a_filter__that_came_after_some_words(join, make) -> None:
    async def body(ctx, input):
        await ctx.say("The first step is")
        ctx.report_finish_reason("content_filter")

    make(body)
    _, end = await outcome(join)
    assert (end["type"], end["finish_reason"]) == ("agent_completed", "content_filter")


async def _raises(ctx: Any) -> None:
    raise RuntimeError


async def _says_sorry(ctx: Any) -> None:
    raise AgentError("Sorry.")


async def _too_large(ctx: Any) -> Any:
    return "x" * 300_000


async def _hangs(ctx: Any) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("ends", [_raises, _says_sorry, _too_large, _hangs])
async def test_usage__of_a_failed_run(join, make, ends) -> None:
    async def body(ctx, input):
        ctx.report_usage({"input_tokens": 1})
        ctx.report_usage(USAGE)
        return await ends(ctx)

    make(body, timeout=0.3)
    _, end = await outcome(join)
    assert (end["type"], end["usage"]) == ("agent_failed", [{"input_tokens": 1}, USAGE])


async def test_usage__nothing_reported(join, make) -> None:
    make(lambda ctx, input: 1 / 0)
    assert "usage" not in (await outcome(join))[1]


@pytest.mark.parametrize("usage", [{"cost": float("nan")}, {"log": "x" * 9000}, {"model": object()}])
async def test_usage__that_cannot_be_told_is_refused_where_it_is_reported(join, make, usage) -> None:
    async def body(ctx, input):
        ctx.report_usage(USAGE)
        with pytest.raises(ValueError, match="JSON"):
            ctx.report_usage(usage)

    make(body)
    assert (await outcome(join))[1]["usage"] == [USAGE]


@pytest.mark.parametrize("how", ["stopped", "replaced"])
async def test_usage__of_a_run_that_is_ended_by_its_user(join, make, how) -> None:
    async def body(ctx, input):
        if input.get("quick"):
            return None
        ctx.report_usage(USAGE)
        await ctx.say("working")
        return await asyncio.Event().wait()

    make(body)
    client = await join()
    run = await client.start("made", thread_id="t")
    said = await client.receive_json()
    while said["event_type"] != "agent_message":
        said = await client.receive_json()
    if how == "stopped":
        await client.send("stop_agent", run_id=said["run_id"])
    else:
        await client.start("made", thread_id="t", input={"quick": True}, if_busy="cancel")
    end = (await client.finish(run))[-1]
    assert (end["event_type"], end["data"]) == ("agent_cancelled", {"reason": how, "usage": [USAGE]})


class Rests(BaseAgent):
    """Asks, and rests."""

    async def run(self, ctx: Any, input: Any) -> Any:
        """Use something, then ask."""
        ctx.report_usage(USAGE)
        await ctx.request_approval("Go on?")
        return Rest(b"")

    async def proceed(self, ctx: Any, memory: bytes, decisions: Any) -> Any:
        """Use nothing more."""
        if not next(iter(decisions.values())).approved:
            raise AgentError("No.")
        return ctx.usage


@pytest.mark.parametrize("how", ["stopped", "replaced", "approved", "denied"])
async def test_usage__of_a_run_that_rested(join, make, how) -> None:
    make(Rests)
    client = await join()
    run = await client.start("made", thread_id="t")
    asked = await client.receive_json()
    while asked["event_type"] != "approval_requested":
        asked = await client.receive_json()
    run_id = asked["run_id"]
    while not await db.read(Run.objects.filter(run_id=run_id, resting=True).exists):  # noqa: ASYNC110 - no event tells of it
        await asyncio.sleep(0.01)
    if how == "stopped":
        await client.send("stop_agent", run_id=run_id)
    elif how == "replaced":
        await client.start("test", thread_id="t", if_busy="cancel")
    else:
        approval_id = asked["data"]["approval_id"]
        await client.send("respond", run_id=run_id, approval_id=approval_id, approved=how == "approved")
    end = (await client.finish(run))[-1]
    assert end["data"]["usage"] == [USAGE]
    if how == "approved":
        assert end["data"]["result"] == [USAGE]


@pytest.mark.parametrize("wish", ["", "lunch"])
async def test_usage__of_a_run_whose_worker_was_lost(join, make, settings, wish) -> None:
    settings.NETRA_HEARTBEAT_SECONDS = 0.05
    settings.NETRA_LOOK_SECONDS = 0.05

    async def body(ctx, input):
        ctx.report_usage(USAGE)
        return await asyncio.Event().wait()

    make(body)
    client = await join()
    run = await client.start("made", thread_id="t")
    while not (found := await db.read(Run.objects.exclude(usage="").first)):  # noqa: ASYNC110 - no event tells of it
        await asyncio.sleep(0.01)
    runner = get_runtime().runner
    assert runner.holds(found.pk)
    now = {"lease_until": Now(), "worker_id": "elsewhere"}  # as if its process were another one, and gone
    if wish:
        now |= {"stop_requested_at": Now(), "stop_reason": wish}
    await db.read(lambda: Run.objects.filter(pk=found.pk).update(**now))
    reap = ReapRun(found.owner_id, "t", found.pk, retry=False, executor=InlineExecutor())
    while not await get_gateway().journal.submit(reap):  # noqa: ASYNC110 - until its lease has run out
        await asyncio.sleep(0.01)
    events = await client.finish(run)
    assert kinds(events)[-1] == ("agent_cancelled" if wish else "agent_failed")
    assert events[-1]["data"]["usage"] == [USAGE]

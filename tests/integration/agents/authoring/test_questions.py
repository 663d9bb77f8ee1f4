"""What an agent asks: with arguments that may be edited, several at once, a value, a tool of the page."""

import asyncio
from typing import Any

import pytest
from django.db.models.functions import Now

from netra.agents import BaseAgent, Rest, ToolDenied, ToolError
from netra.agents.executors.inline import InlineExecutor
from netra.agents.ledger import reading as run_reads
from netra.agents.ledger.endings import ReapRun
from netra.agents.models import Approval, Run
from netra.agents.service import get_runtime
from test_framework.gateway import kinds
from test_framework.ssot.factories import GOOGLE
from websocket_core.database import db
from websocket_core.errors import AlreadyDecided
from websocket_core.gateway import get_gateway

pytestmark = pytest.mark.django_db(transaction=True)

REFUND = {"tool_name": "refund", "arguments": {"order": 7, "euros": 100}}
EDITED = {"order": 7, "euros": 50}


async def asked(client: Any, count: int = 1) -> list[dict[str, Any]]:
    """The next questions."""
    return [await client.until("approval_requested") for _ in range(count)]


async def answer(client: Any, question: dict[str, Any], approved: bool = True, **more: Any) -> None:
    approval_id = question["data"]["approval_id"]
    await client.send("respond", run_id=question["run_id"], approval_id=approval_id, approved=approved, **more)


def of(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event["data"] for event in events if event["event_type"] == kind]


async def refund(ctx: Any, input: Any) -> Any:
    decision = await ctx.approve("Refund?", **REFUND, edit=input["edit"], schema={"type": "object"})
    async with ctx.tool("refund", approval=decision) as call:
        call.result = call.arguments
    return [decision.approved, decision.arguments, decision.edited]


@pytest.mark.parametrize("arguments", [EDITED, [1, 2], {}, None])
async def test_edit__the_call_runs_with_the_edited_arguments(each_database, join, make, arguments) -> None:
    make(refund)
    client = await join()
    run = await client.start("made", input={"edit": True})
    (question,) = await asked(client)
    assert question["data"]["decisions"] == ["approve", "edit", "reject"]
    for refused in ({"approved": False, "arguments": EDITED}, {"arguments": "text"}, {"arguments": 5}):
        await answer(client, question, **refused)
        error = await client.until("error")
        assert (error["code"], error["field"]) == ("invalid_action", "arguments")
    assert not await db.read(Approval.objects.filter(decision__isnull=False).exists)
    await answer(client, question, arguments=arguments)
    events = await client.finish(run)
    edited = arguments is not None
    (resolved,) = of(events, "approval_resolved")
    assert resolved.get("arguments") == arguments
    assert ("arguments" in resolved) == edited
    shown = arguments if edited else REFUND["arguments"]
    assert events[-1]["data"]["result"] == [True, shown, edited]
    assert [call["arguments"] for call in of(events, "tool_executing")] == [shown]
    await answer(client, question, arguments={"order": 8})
    error = await client.until("error")
    assert error["code"] == "already_decided"
    assert error["decision"] == {"approved": True, "value": None, **({"arguments": arguments} if edited else {})}


async def test_edit__only_where_it_is_allowed(join, make) -> None:
    make(refund)
    client = await join()
    run = await client.start("made", input={"edit": False})
    (question,) = await asked(client)
    assert question["data"].keys() & {"decisions", "kind", "more"} == set()
    await answer(client, question, arguments=EDITED)
    error = await client.until("error")
    assert (error["code"], error["field"]) == ("invalid_action", "arguments")
    await answer(client, question, arguments=None)  # as if it was absent
    assert (await client.finish(run))[-1]["data"]["result"] == [True, REFUND["arguments"], False]


async def test_edit__a_decision_that_is_not_named(join, make) -> None:
    make(refund)
    client = await join()
    run = await client.start("made", input={"edit": True})
    (question,) = await asked(client)
    await db.write(lambda: Approval.objects.update(decisions="edit"))
    for approved in (True, False):
        await answer(client, question, approved)
        error = await client.until("error")
        assert (error["code"], error["field"]) == ("invalid_action", "approved")
    await answer(client, question, arguments=EDITED)
    assert (await client.finish(run))[-1]["data"]["result"] == [True, EDITED, True]


async def test_edit__the_original_call_never_runs(join, make) -> None:
    async def body(ctx, input):
        decision = await ctx.approve("Refund?", **REFUND, edit=True)
        with pytest.raises(ValueError, match="were edited"):
            ctx.tool("refund", REFUND["arguments"], approval=decision)

    make(body)
    client = await join()
    run = await client.start("made")
    await answer(client, (await asked(client))[0], arguments=EDITED)
    events = await client.finish(run)
    assert (events[-1]["event_type"], of(events, "tool_executing")) == ("agent_completed", [])


async def test_edit__two_answers_at_once__one_decision(each_database, join, make) -> None:
    make(refund)
    client = await join()
    run = await client.start("made", input={"edit": True})
    (question,) = await asked(client)
    names = {"user_id": GOOGLE, "run_id": question["run_id"], "approval_id": question["data"]["approval_id"]}
    answers = [{"euros": number} for number in range(5)]
    respond = get_runtime().respond
    told = await asyncio.gather(
        *[respond(**names, approved=True, value=None, arguments=one) for one in answers], return_exceptions=True
    )
    (winner,) = [one for one, outcome in zip(answers, told, strict=True) if outcome is None]
    assert [type(outcome) for outcome in told].count(AlreadyDecided) == 4
    events = await client.finish(run)
    assert [one["arguments"] for one in of(events, "approval_resolved") + of(events, "tool_executing")] == [winner] * 2


class Refunds(BaseAgent):
    """Asks, and rests."""

    async def run(self, ctx: Any, input: Any) -> Any:
        await ctx.request_approvals(
            [{"message": "One?", **REFUND, "edit": True}, {"message": "Two?", **REFUND, "edit": True}]
        )
        return Rest(b"")

    async def proceed(self, ctx: Any, memory: bytes, decisions: Any) -> Any:
        for decision in decisions.values():
            async with ctx.tool("refund", approval=decision):
                pass
        return [decision.edited for decision in decisions.values()]


async def test_rest__the_edited_arguments_come_from_the_database(each_database, join, make) -> None:
    make(Refunds)
    client = await join()
    run = await client.start("made")
    one, two = await asked(client, 2)
    assert [question["data"].get("more") for question in (one, two)] == [True, None]
    while not await db.read(Run.objects.filter(resting=True).exists):  # noqa: ASYNC110 - no event tells of it
        await asyncio.sleep(0.01)
    await answer(client, one, arguments=EDITED)
    await client.until("approval_resolved")
    row = await db.read(Run.objects.get)
    known = await db.read(run_reads.decisions_of, row.pk)  # what another process would read
    assert [(decision.arguments, decision.edited) for decision in known.values()] == [(EDITED, True)]
    await answer(client, two)
    events = await client.finish(run)
    assert events[-1]["data"]["result"] == [True, False]
    assert [call["arguments"] for call in of(events, "tool_executing")] == [EDITED, REFUND["arguments"]]


async def test_process_dies_before_the_answer__nothing_runs(join, make, settings) -> None:
    settings.NETRA_HEARTBEAT_SECONDS = settings.NETRA_LOOK_SECONDS = 0.05
    make(refund)
    client = await join()
    run = await client.start("made", input={"edit": True}, thread_id="t")
    (question,) = await asked(client)
    found = await db.read(Run.objects.get)
    now = {"lease_until": Now(), "worker_id": "elsewhere"}  # as if its process were another one, and gone
    await db.write(lambda: Run.objects.update(**now))
    reap = ReapRun(found.owner_id, "t", found.pk, retry=False, executor=InlineExecutor())
    while not await get_gateway().journal.submit(reap):  # noqa: ASYNC110 - until its lease has run out
        await asyncio.sleep(0.01)
    events = await client.finish(run)
    assert kinds(events)[-2:] == ["approval_resolved", "agent_failed"]
    await answer(client, question, arguments=EDITED)
    error = await client.until("error")
    assert (error["code"], error["decision"]) == ("already_decided", {"approved": False, "value": None})


async def test_approve_all__one_batch__decisions_in_its_order(each_database, join, make) -> None:
    async def body(ctx, input):
        batch = [{"message": str(number), "tool_name": f"t{number}", "tool_call_id": "same"} for number in range(3)]
        for broken in ({"message": "?", "arguments": {1}}, {"message": "?", "kind": "other"}):
            with pytest.raises(ValueError, match=r"JSON|kind"):
                await ctx.approve_all([*batch, broken])
        assert await ctx.approve_all([]) == []
        decisions = await ctx.approve_all(batch)
        return [[decision.tool_name, decision.tool_call_id, decision.value] for decision in decisions]

    make(body)
    client = await join()
    run = await client.start("made")
    questions = await asked(client, 3)
    assert [question["data"].get("more") for question in questions] == [True, True, None]
    first = questions[0]["seq"]
    assert [question["seq"] for question in questions] == [first, first + 1, first + 2]
    assert await db.read(Approval.objects.count) == 3
    for question in reversed(questions):
        await answer(client, question, value=question["data"]["message"])
    events = await client.finish(run)
    assert events[-1]["data"]["result"] == [["t0", "same", "0"], ["t1", "same~2", "1"], ["t2", "same~3", "2"]]


@pytest.mark.parametrize("sync", [False, True])
async def test_client_tool__its_result_or_its_error(join, make, sync) -> None:
    schema = {"type": "number"}

    async def body(ctx, input):
        found: list[Any] = [await ctx.client_tool("locate", {"exact": True}, schema=schema)]
        for seconds in (None, 0):
            try:
                await ctx.client_tool("locate", expires_in=seconds)
            except (ToolError, ToolDenied) as error:
                found.append(f"{type(error).__name__}: {error}")
        return found

    def blocking(ctx, input):
        found: list[Any] = [ctx.client_tool("locate", {"exact": True}, schema=schema)]
        for seconds in (None, 0):
            try:
                ctx.client_tool("locate", expires_in=seconds)
            except (ToolError, ToolDenied) as error:
                found.append(f"{type(error).__name__}: {error}")
        (decision,) = ctx.approve_all([{"message": "?", "expires_in": 0}])
        assert not decision.approved
        return found

    make(blocking if sync else body)
    client = await join()
    run = await client.start("made")
    (question,) = await asked(client)
    data = question["data"]
    assert (data["kind"], data["schema"], data["arguments"], data["tool_name"]) == (
        "tool",
        schema,
        {"exact": True},
        "locate",
    )
    await answer(client, question, arguments={"exact": False})
    assert (await client.until("error"))["field"] == "arguments"
    await answer(client, question, value={"type": "edit", "at": [1.5, 2]})  # whatever the page says
    await answer(client, (await asked(client))[0], approved=False, value="No position.")
    events = await client.finish(run)
    assert events[-1]["data"]["result"] == [
        {"type": "edit", "at": [1.5, 2]},
        "ToolError: No position.",
        "ToolDenied: No page has run locate in time.",
    ]
    assert not of(events, "tool_executing")


async def test_input__a_value_is_wanted(join, make) -> None:
    async def body(ctx, input):
        with pytest.raises(ValueError, match="could be edited"):
            await ctx.approve("?", kind="input", edit=True)
        decision = await ctx.approve("Which city?", kind="input", schema={"type": "string"})
        return [decision.approved, decision.value]

    make(body)
    client = await join()
    run = await client.start("made")
    (question,) = await asked(client)
    assert (question["data"]["kind"], "decisions" in question["data"]) == ("input", False)
    await answer(client, question, value="Graz")
    assert (await client.finish(run))[-1]["data"]["result"] == [True, "Graz"]

"""start_agent, stop_agent and respond on the wire: every answer the protocol names."""

import asyncio
from typing import Any

import pytest

from test_framework.gateway import kinds
from websocket_core.ids import new_id
from websocket_core.testing.sockets import check_run

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def waiting(make) -> dict[str, asyncio.Event]:
    """The agent `made` works until its gate, named by its input, is opened."""
    gates: dict[str, asyncio.Event] = {}

    async def body(ctx, input):
        await ctx.think("waiting")
        await gates.setdefault(input.get("gate", ""), asyncio.Event()).wait()
        return input

    make(body)
    return gates


def error(frame: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    assert frame["event_type"] == "error", frame
    return frame["code"], frame


# start_agent


async def test_start__the_first_answer_is_agent_started(join):
    client = await join()
    await client.send("start_agent", agent_type="test")
    frame = await client.receive_json()
    assert (frame["event_type"], frame["seq"], frame["data"]) == (
        "agent_started",
        1,
        {"agent_type": "test", "input": {}},
    )


async def test_start__golden_path(join):
    client = await join()
    events = await client.finish(await client.start("test", input={"message": "hello"}, request_id="q1"))
    assert kinds(events) == [
        "agent_started",
        "agent_thinking",
        "tool_executing",
        "tool_completed",
        "agent_message",
        "agent_completed",
    ]
    assert events[0]["data"]["request_id"] == "q1"
    assert events[-1]["data"]["result"] == {"echo": {"message": "hello"}}
    assert not [event for event in events[1:] if "request_id" in event["data"]]


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, {}), ("hi", {"message": "hi"}), ([1, 2], [1, 2]), (5, 5), (False, False), ({"n": 2**70}, {"n": 2**70})],
)
async def test_start__input(join, given, expected):
    client = await join()
    await client.send_json({"action": "start_agent", "agent_type": "test", "input": given})
    assert (await client.until("agent_started"))["data"]["input"] == expected


async def test_start__alias_is_shown_as_the_canonical_name(join):
    client = await join()
    assert (await client.start("test_agent"))["data"]["agent_type"] == "test"


async def test_start__unknown_agent(join):
    client = await join()
    code, frame = error(await client.ask("start_agent", agent_type="nobody", thread_id="t"))
    assert (code, frame["field"]) == ("unknown_agent", "agent_type")
    assert (await client.ask("sync"))["threads"] == []


async def test_start__too_large(join, settings):
    settings.NETRA_MAX_EVENT_BYTES = 2000
    client = await join()
    code, frame = error(await client.ask("start_agent", agent_type="test", input="x" * 3000, thread_id="t"))
    assert (code, frame["field"]) == ("too_large", "input")
    assert (await client.ask("sync"))["threads"] == []


async def test_start__busy__enqueue_is_first_in_first_out(join, waiting):
    client = await join()
    await client.start("made", thread_id="t", run_id="r1", input={"gate": "1"})
    for number in (2, 3):
        await client.send(
            "start_agent", agent_type="made", thread_id="t", run_id=f"r{number}", input={"gate": str(number)}
        )
        queued = await client.until("run_queued", run_id=f"r{number}")
        assert queued["data"]["position"] == number - 1
    for number in (1, 2, 3):
        waiting.setdefault(str(number), asyncio.Event()).set()
    for number in (1, 2, 3):
        await client.finish({"thread_id": "t", "run_id": f"r{number}"})
    order = [event["run_id"] for event in client.oracle.transcript("t") if event["event_type"] == "agent_started"]
    assert order == ["r1", "r2", "r3"]


async def test_start__busy__reject_names_the_active_run(join, waiting):
    client = await join()
    await client.start("made", thread_id="t", run_id="r1")
    code, frame = error(
        await client.ask("start_agent", agent_type="made", thread_id="t", run_id="r2", if_busy="reject")
    )
    assert (code, frame["thread_id"], frame["run_id"], frame["active_run_id"]) == ("thread_busy", "t", "r2", "r1")
    assert error(await client.ask("stop_agent", run_id="r2"))[0] == "not_found"


async def test_start__busy__cancel_stops_the_active_and_the_queued(join, waiting):
    client = await join()
    waiting["4"] = asyncio.Event()
    waiting["4"].set()
    await client.start("made", thread_id="t", run_id="r1")
    for run_id in ("r2", "r3"):
        await client.send("start_agent", agent_type="made", thread_id="t", run_id=run_id)
        await client.until("run_queued", run_id=run_id)
    await client.send(
        "start_agent", agent_type="made", thread_id="t", run_id="r4", input={"gate": "4"}, if_busy="cancel"
    )
    assert (await client.finish({"thread_id": "t", "run_id": "r4"}))[-1]["event_type"] == "agent_completed"
    for run_id in ("r1", "r2", "r3"):
        events = client.oracle.run("t", run_id)
        check_run(events)
        assert events[-1]["event_type"] == "agent_cancelled"
        assert events[-1]["data"] == {"reason": "replaced"}
    assert kinds(client.oracle.run("t", "r2")) == ["run_queued", "agent_cancelled"]


async def test_start__run_id_used_before__starts_nothing_and_replays_the_run(join):
    client = await join()
    events = await client.finish(await client.start("test", thread_id="t", run_id="r1"))
    await client.finish(await client.start("test", thread_id="t", run_id="r2"))
    await client.send("start_agent", agent_type="other", run_id="r1", input="something else", request_id="q")
    replaying = await client.receive_json()
    assert (replaying["event_type"], replaying["from_seq"], replaying["request_id"]) == ("replaying", 1, "q")
    again = [await client.receive_json() for _ in range(replaying["to_seq"])]
    assert again[: len(events)] == events
    assert (await client.receive_json())["event_type"] == "resumed"
    assert await client.receive_nothing()


async def test_start__run_id_of_another_thread(join):
    client = await join()
    await client.finish(await client.start("test", thread_id="t", run_id="r1"))
    code, frame = error(await client.ask("start_agent", agent_type="test", thread_id="t2", run_id="r1"))
    assert (code, frame["field"]) == ("invalid_action", "thread_id")
    assert [thread["thread_id"] for thread in (await client.ask("sync"))["threads"]] == ["t"]


async def test_start__the_same_run_id_from_many_tabs_at_once__is_one_run(join, waiting):
    tabs = [await join() for _ in range(8)]
    for tab in tabs:
        await tab.send("start_agent", agent_type="made", thread_id="t", run_id="r1")
    for tab in tabs:
        await tab.until("agent_started", run_id="r1")
    waiting[""].set()
    for tab in tabs:
        assert kinds(await tab.finish({"thread_id": "t", "run_id": "r1"})).count("agent_started") == 1


async def test_start__run_limit__leaves_no_thread_behind(join, waiting, settings):
    settings.NETRA_RUNS_PER_USER = 2
    client = await join()
    for number in (1, 2):
        await client.start("made", thread_id=f"t{number}")
    assert error(await client.ask("start_agent", agent_type="made", thread_id="t3"))[0] == "run_limit"
    assert sorted(thread["thread_id"] for thread in (await client.ask("sync"))["threads"]) == ["t1", "t2"]


async def test_start__at_the_limit__may_take_the_places_of_those_it_replaces(join, waiting, settings):
    settings.NETRA_RUNS_PER_USER = 2
    client = await join()
    first = await client.start("made", thread_id="t")
    await client.send("start_agent", agent_type="made", thread_id="t", run_id="queued")
    await client.until("run_queued", run_id="queued")
    await client.send("start_agent", agent_type="made", thread_id="t", run_id="new", if_busy="cancel")
    assert (await client.until("agent_cancelled", run_id="queued"))["data"]["reason"] == "replaced"
    assert (await client.finish(first))[-1]["event_type"] == "agent_cancelled"
    await client.until("agent_started", run_id="new")
    await client.send("start_agent", agent_type="made", thread_id="t2", run_id="other")
    await client.until("agent_started", run_id="other")
    assert error(await client.ask("start_agent", agent_type="made", thread_id="t", if_busy="enqueue"))[0] == "run_limit"


# stop_agent


async def test_stop__0_ms_after_the_start(join, waiting):
    client = await join()
    run_id = new_id()
    await client.send("start_agent", agent_type="made", thread_id="t", run_id=run_id)
    await client.send("stop_agent", run_id=run_id)
    events = await client.finish({"thread_id": "t", "run_id": run_id})
    assert (events[-1]["event_type"], events[-1]["data"]["reason"]) == ("agent_cancelled", "stopped")


async def test_stop__queued(join, waiting):
    client = await join()
    await client.start("made", thread_id="t", run_id="r1")
    await client.send("start_agent", agent_type="made", thread_id="t", run_id="r2")
    await client.send("stop_agent", run_id="r2", reason="changed my mind")
    events = await client.finish({"thread_id": "t", "run_id": "r2"})
    assert kinds(events) == ["run_queued", "agent_cancelled"]
    assert events[-1]["data"]["reason"] == "changed my mind"
    assert not client.oracle.is_over("t", "r1")


async def test_stop__thinking(join, waiting):
    client = await join()
    run = await client.start("made")
    await client.until("agent_thinking")
    await client.send("stop_agent", run_id=run["run_id"])
    assert (await client.finish(run))[-1]["event_type"] == "agent_cancelled"


async def test_stop__in_a_tool__closes_it_and_the_agent_notices(join, make):
    noticed = asyncio.Event()

    async def body(ctx, input):
        try:
            async with ctx.tool("search"):
                await asyncio.Event().wait()
        finally:
            noticed.set()

    make(body)
    client = await join()
    run = await client.start("made")
    await client.until("tool_executing")
    await client.send("stop_agent", run_id=run["run_id"])
    events = await client.finish(run)
    assert events[-2]["data"]["status"] == "cancelled"
    assert noticed.is_set()


async def test_stop__twice__is_no_error(join, make, settings):
    settings.NETRA_STOP_GRACE_SECONDS = 0.5
    cancelled = asyncio.Event()

    async def body(ctx, input):
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
            await asyncio.sleep(0.2)

    make(body)
    client = await join()
    run = await client.start("made")
    await client.send("stop_agent", run_id=run["run_id"], reason="first")
    await cancelled.wait()
    await client.send("stop_agent", run_id=run["run_id"], reason="second")
    events = await client.finish(run)
    assert events[-1]["data"]["reason"] == "first"
    assert not [frame for frame in client.frames if frame["event_type"] == "error"]


async def test_stop__finished_and_unknown(join):
    client = await join()
    run = await client.start("test")
    await client.finish(run)
    code, frame = error(await client.ask("stop_agent", run_id=run["run_id"]))
    assert (code, frame["run_id"]) == ("run_finished", run["run_id"])
    assert error(await client.ask("stop_agent", run_id="nothing"))[0] == "not_found"


async def test_stop__from_another_tab(join, waiting):
    one, other = await join(), await join()
    run = await one.start("made")
    await other.send("stop_agent", run_id=run["run_id"])
    assert (await one.finish(run))[-1]["event_type"] == "agent_cancelled"
    assert (await other.finish(run))[-1]["event_type"] == "agent_cancelled"


async def test_runs__outlive_their_socket(join, waiting):
    client = await join()
    run = await client.start("made", thread_id="t")
    await client.close()
    waiting[""].set()
    again = await join(oracle=client.oracle)
    client.oracle.reconnected()
    await again.send("resume", cursors={"t": run["seq"]})
    assert (await again.finish(run))[-1]["event_type"] == "agent_completed"


# respond


@pytest.fixture
def asking(make) -> None:
    async def body(ctx, input):
        decision = await ctx.approve("May I?", tool_name="send", arguments={"to": "all"})
        return [decision.approved, decision.value, decision.by]

    make(body)


@pytest.mark.parametrize("approved", [True, False])
async def test_respond__goes_on_with_the_decision(join, asking, approved):
    client = await join()
    run = await client.start("made")
    asked = await client.until("approval_requested")
    assert asked["data"]["arguments"] == {"to": "all"}
    approval = asked["data"]["approval_id"]
    await client.send("respond", run_id=run["run_id"], approval_id=approval, approved=approved, value={"why": "ä"})
    events = await client.finish(run)
    resolved = next(event["data"] for event in events if event["event_type"] == "approval_resolved")
    assert resolved == {"approval_id": approval, "approved": approved, "value": {"why": "ä"}, "by": "user"}
    assert events[-1]["data"]["result"] == [approved, {"why": "ä"}, "user"]


async def test_respond__ten_tabs_at_once__one_decision(join, asking):
    tabs = [await join() for _ in range(10)]
    run = await tabs[0].start("made")
    approval = (await tabs[0].until("approval_requested"))["data"]["approval_id"]
    for number, tab in enumerate(tabs):
        await tab.send("respond", run_id=run["run_id"], approval_id=approval, approved=bool(number % 2), request_id="q")
    refused = []
    for tab in tabs:
        await tab.finish(run)
        while not await tab.receive_nothing(0.05):
            pass
        refused += [frame for frame in tab.frames if frame.get("code") == "already_decided"]
    resolved = [event["data"] for event in tabs[0].oracle.run(run["thread_id"], run["run_id"])]
    winner = next(data["approved"] for data in resolved if "by" in data)
    assert [frame["decision"] for frame in refused] == [{"approved": winner, "value": None}] * 9


async def test_respond__after_the_run_is_over(join, asking):
    client = await join()
    run = await client.start("made")
    approval = (await client.until("approval_requested"))["data"]["approval_id"]
    await client.send("stop_agent", run_id=run["run_id"])
    assert (await client.finish(run))[-2]["data"]["by"] == "cancelled"
    code, frame = error(await client.ask("respond", run_id=run["run_id"], approval_id=approval, approved=True))
    assert (code, frame["decision"]) == ("already_decided", {"approved": False, "value": None})


async def test_respond__unknown(join, asking):
    client = await join()
    run = await client.start("made")
    approval = (await client.until("approval_requested"))["data"]["approval_id"]
    other = await client.start("test")
    for run_id, approval_id in [("no", approval), (run["run_id"], "no"), (other["run_id"], approval)]:
        assert (
            error(await client.ask("respond", run_id=run_id, approval_id=approval_id, approved=True))[0] == "not_found"
        )

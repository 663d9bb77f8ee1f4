"""Signals: after the commit, in a thread of their own, and the end of a run at least once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.dispatch import Signal
from django.test.utils import CaptureQueriesContext

import netra
from netra.agents.follow_up import announcer, marks
from netra.agents.models import Run
from netra.signals import approval_requested, approval_resolved, run_finished, run_started
from test_framework.gateway import SECRET
from test_framework.ssot.factories import GOOGLE
from websocket_core.database import db

pytestmark = pytest.mark.django_db(transaction=True)
Connect = Callable[[Signal, Callable[..., None]], None]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Function that connects a receiver for this test."""
    connected: list[tuple[Signal, Callable[..., None]]] = []

    def connect(signal: Signal, receiver: Callable[..., None]) -> None:
        signal.connect(receiver, weak=False)
        connected.append((signal, receiver))

    yield connect
    for signal, receiver in connected:
        signal.disconnect(receiver)


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the thread of signals has no event to wait for
            await asyncio.sleep(0.01)


async def settled(**found: Any) -> Run:
    async with asyncio.timeout(20):
        while (run := await Run.objects.aget(**found)).follow_up_at is not None:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
    return run


async def body(ctx: Any, input: Any) -> str:
    ctx.report_usage({"input_tokens": 3, "output_tokens": 4})
    return "done"


async def test_run__is_told_of_when_it_is_committed(join, make, connect):
    told: list[tuple[str, Any, str, str]] = []

    def note(name: str) -> Callable[..., None]:
        def receiver(run: Any, **kwargs: Any) -> None:
            status = Run.objects.get(run_id=run.run_id).status  # of a connection of its own
            told.append((name, run, status, threading.current_thread().name))

        return receiver

    connect(run_started, note("started"))
    connect(run_finished, note("finished"))
    make(body)
    client = await join()
    started = await client.start("made", input="hello", thread_id="t")
    await client.finish(started)
    await eventually(lambda: len(told) == 2)
    assert [(name, run.run_id) for name, run, _, _ in told] == [
        ("started", started["run_id"]),
        ("finished", started["run_id"]),
    ]
    _, run, status, thread = told[1]
    assert status == run.status == "completed"
    assert thread.startswith("netra-signals")
    assert isinstance(run, netra.Run)
    assert (run.thread_id, run.user_id, run.agent_type) == ("t", GOOGLE, "made")
    assert (run.input, run.result, run.error) == ({"message": "hello"}, "done", None)
    assert (run.usage.input_tokens, run.usage.output_tokens, run.usage.total_tokens) == (3, 4, 7)
    assert None not in (run.started_at, run.ended_at)
    row = await settled()
    assert (row.follow_up_at, row.signal_due) == (None, False)


async def test_failed_run__tells_why(join, make, connect):
    told: list[Any] = []
    connect(run_finished, lambda run, **kwargs: told.append(run))

    async def fails(ctx: Any, input: Any) -> None:
        raise RuntimeError(SECRET)

    make(fails)
    client = await join()
    events = await client.finish(await client.start("made"))
    await eventually(lambda: told)
    [run] = told
    assert (run.status, run.error.code, str(run.error)) == ("failed", "agent_error", events[-1]["data"]["message"])
    assert run.error.incident in run.error.message
    assert SECRET not in str(run)


async def test_stopped_in_the_queue__is_told_of_as_well(join, make, connect):
    told: list[Any] = []
    connect(run_finished, lambda run, **kwargs: told.append((run.run_id, run.status)))

    async def endless(ctx: Any, input: Any) -> None:
        await asyncio.Event().wait()

    make(endless)
    client = await join()
    await client.start("made", thread_id="t", run_id="first")
    await client.send("start_agent", agent_type="made", thread_id="t", run_id="second")
    await client.until("run_queued")
    await client.send("stop_agent", run_id="second")
    await eventually(lambda: told == [("second", "cancelled")])


async def test_approvals__are_told_of_with_question_and_answer(join, make, connect):
    told: list[tuple[str, Any, Any]] = []
    connect(approval_requested, lambda run, approval, **kwargs: told.append(("asked", run, approval)))
    connect(approval_resolved, lambda run, approval, **kwargs: told.append(("answered", run, approval)))

    async def asks(ctx: Any, input: Any) -> Any:
        return (await ctx.approve("Refund?", tool_name="refund", arguments={"order": 7})).approved

    make(asks)
    client = await join()
    started = await client.start("made")
    asked = await client.until("approval_requested")
    await eventually(lambda: told)
    _, run, approval = told[0]
    assert (approval.approval_id, approval.tool_name) == (asked["data"]["approval_id"], "refund")
    assert (approval.arguments, approval.message, approval.approved) == ({"order": 7}, "Refund?", None)
    assert (run.run_id, run.status) == (started["run_id"], "waiting")
    answer = {"approved": True, "value": None}
    await client.send("respond", run_id=run.run_id, approval_id=approval.approval_id, **answer)
    await client.until("agent_completed")
    await eventually(lambda: len(told) == 2)
    name, _, approval = told[1]
    assert (name, approval.approved, approval.by) == ("answered", True, "user")
    assert approval.decided_at >= approval.created_at


async def test_receiver_that_raises__is_logged_and_keeps_nobody_from_being_told(join, make, connect, caplog):
    told: list[str] = []

    def fails(run: Any, **kwargs: Any) -> None:
        raise KeyError("broken receiver")

    def exits(run: Any, **kwargs: Any) -> None:
        raise SystemExit(3)

    connect(run_finished, fails)
    connect(run_finished, lambda run, **kwargs: told.append(run.run_id))
    make(body)
    client = await join()
    await client.finish(await client.start("made", run_id="one"))
    await eventually(lambda: told == ["one"])
    await settled()
    assert "broken receiver" in caplog.text
    connect(run_finished, exits)
    await client.finish(await client.start("made", run_id="two"))
    await settled(run_id="two")
    assert "raised SystemExit" in caplog.text


async def test_slow_receiver__holds_up_no_run(join, make, connect):
    go, told = threading.Event(), []

    def slow(run: Any, **kwargs: Any) -> None:
        assert go.wait(20)
        told.append(run.run_id)

    connect(run_finished, slow)
    make(body)
    client = await join()
    try:
        for number in range(5):
            await client.finish(await client.start("made", run_id=f"r{number}"))  # seen by the client all the same
        assert told == []
        await announcer.look()  # while it works the first one's mark moves on, and nothing is queued twice
    finally:
        go.set()
    await eventually(lambda: len(told) == 5)
    assert told == [f"r{number}" for number in range(5)]
    async with asyncio.timeout(20):
        while await Run.objects.filter(follow_up_at__isnull=False).aexists():  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)


async def test_mark__of_a_run_that_nobody_saw_to_is_found(join, make, connect):
    """As when the process died between the commit and the signal."""
    make(body)
    client = await join()
    await client.finish(await client.start("made"))
    told: list[str] = []
    past = datetime.now(UTC) - timedelta(seconds=1)
    await db.write(lambda: Run.objects.update(follow_up_at=past, signal_due=True))
    await announcer.look()  # no receivers here: others have to be told by those who have
    await announcer.drain()
    row = await Run.objects.aget()
    assert (row.follow_up_at, row.signal_due) == (past, True)
    connect(run_finished, lambda run, **kwargs: told.append(run.run_id))
    await announcer.look()
    await eventually(lambda: told == [row.run_id])
    await settled()
    await announcer.look()
    await announcer.drain()
    assert told == [row.run_id]


async def test_mark__that_another_process_has_taken_is_left_to_it(join, make, connect):
    make(body)
    client = await join()
    await client.finish(await client.start("made"))
    told: list[str] = []
    connect(run_finished, lambda run, **kwargs: told.append(run.run_id))
    run = await Run.objects.aget()
    taken = datetime.now(UTC) + timedelta(seconds=30)
    await db.write(lambda: Run.objects.update(follow_up_at=taken, signal_due=True))
    announcer.settle(run.pk, taken - timedelta(seconds=40))
    await announcer.look()
    await announcer.drain()
    assert told == []
    assert (await Run.objects.aget()).follow_up_at == taken


async def test_queue__is_bounded_and_loses_no_end(join, make, connect, monkeypatch, caplog):
    monkeypatch.setattr(announcer, "most", 2)
    go, told = threading.Event(), []

    def slow(run: Any, **kwargs: Any) -> None:
        assert go.wait(20)
        told.append(run.run_id)

    connect(run_finished, slow)
    connect(run_started, lambda run, **kwargs: None)
    make(body)
    client = await join()
    try:
        for number in range(4):
            await client.finish(await client.start("made", run_id=f"r{number}"))
        assert caplog.text.count("new ones are dropped") == 1
    finally:
        go.set()
    await announcer.drain()
    await db.write(lambda: Run.objects.filter(signal_due=True).update(follow_up_at=datetime.now(UTC)))
    async with asyncio.timeout(20):
        while await Run.objects.filter(signal_due=True).aexists():
            await announcer.look()
            await asyncio.sleep(0.01)
    assert sorted(set(told)) == [f"r{number}" for number in range(4)]


@pytest.mark.skipif("connection.vendor != 'sqlite'")
@pytest.mark.parametrize("signals", [True, False])
def test_look__reads_no_run_but_those_that_are_due(signals):
    with CaptureQueriesContext(connection) as asked:
        assert marks.due(datetime.now(UTC), signals) == []
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {asked[0]['sql']}")
        assert "INDEX run_follow_up (follow_up_at<?)" in cursor.fetchall()[0][3]

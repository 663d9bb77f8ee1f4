"""Reading threads and events, and answering approvals, from a site's own code."""

import asyncio
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from django.db import transaction

import netra
from netra.agents.registry import agent
from netra.site import history
from websocket_core.conf import conf
from websocket_core.errors import AlreadyDecided, CursorExpired, InvalidAction, InvalidCursor
from websocket_core.models import Thread

pytestmark = pytest.mark.django_db(transaction=True)
SECONDS = 20


@pytest.fixture
def asking() -> None:
    """An agent that asks a person."""

    @agent("asking")
    async def asking(ctx, input):
        decision = await ctx.approve("May I?")
        return [decision.approved, decision.value]


async def question(user: str, thread_id: str | None = None) -> tuple[netra.Run, str]:
    """A run that waits for a person, and the name of its approval."""
    run = await netra.astart("asking", user=user, thread_id=thread_id)
    while True:
        await asyncio.sleep(0)
        found = [event async for event in netra.aevents(run.thread_id, user=user)]
        asked = [event.data["approval_id"] for event in found if event.event_type == "approval_requested"]
        if asked:
            return run, asked[0]


async def test_events__are_the_wire_s(each_database, settings) -> None:
    settings.NETRA_PAGE_EVENTS = 3
    run = await (await netra.astart("test", user="ann", request_id="r")).await_(SECONDS)
    found = [event async for event in netra.aevents(run.thread_id, user="ann")]
    assert [event.seq for event in found] == list(range(1, len(found) + 1))
    assert len(found) > conf.PAGE_EVENTS
    assert (found[0].event_type, found[-1].event_type) == ("agent_started", "agent_completed")
    assert {(event.thread_id, event.run_id) for event in found} == {(run.thread_id, run.run_id)}
    assert found[0].data["request_id"] == "r"
    assert found[0].timestamp.tzinfo is not None
    assert await asyncio.to_thread(lambda: list(netra.events(run.thread_id, user="ann", after=2))) == found[2:]
    assert [event async for event in netra.aevents(run.thread_id, user="ann", after=len(found))] == []
    with pytest.raises(FrozenInstanceError):
        setattr(found[0], "seq", 0)  # noqa: B010 - the type checker knows that it cannot be set


async def test_events__cursors() -> None:
    run = await (await netra.astart("test", user="ann")).await_(SECONDS)

    async def read(after: Any, thread_id: str = run.thread_id, user: str = "ann") -> list[netra.Event]:
        return [event async for event in netra.aevents(thread_id, user=user, after=after)]

    with pytest.raises(InvalidCursor):
        await read(1000)
    for wrong in (-1, True, "1", 1.0):
        with pytest.raises(InvalidAction):
            await read(wrong)
    for thread_id, user in ((run.thread_id, "bob"), ("made-up", "ann")):
        with pytest.raises(netra.ThreadNotFound, match="There is no such thread"):
            await read(0, thread_id, user)
    await asyncio.to_thread(lambda: Thread.objects.filter(thread_id=run.thread_id).update(first_seq=4))
    with pytest.raises(CursorExpired) as expired:
        await read(2)
    assert expired.value.fields["first_seq"] == 4
    assert next(event.seq for event in await read(0)) == 4


async def test_threads__keyset_and_what_moves_meanwhile(each_database, monkeypatch) -> None:
    monkeypatch.setattr(history, "PAGE", 2)
    names = [f"t{number}" for number in range(5)]
    for name in names:
        await (await netra.astart("test", name, user="ann", thread_id=name)).await_(SECONDS)
    await (await netra.astart("test", user="bob", thread_id="of-bob")).await_(SECONDS)
    found = await asyncio.to_thread(lambda: list(netra.threads("ann")))
    assert [thread.thread_id for thread in found] == names[::-1]
    assert (found[0].title, found[0].active_run_id) == ("t4", None)
    assert found[0].last_seq > 0
    seen = []
    async for thread in netra.athreads("ann"):
        seen.append(thread.thread_id)
        if len(seen) == 2:  # the last of all moves to the front, past the page that is read next
            await (await netra.astart("test", user="ann", thread_id="t0")).await_(SECONDS)
    assert sorted(seen) == names


async def test_respond(each_database, asking) -> None:
    run, approval_id = await question("ann")
    assert (await run.arefresh()).status == "waiting"
    for name, user in ((approval_id, "bob"), ("made-up", "ann")):
        with pytest.raises(netra.ApprovalNotFound, match="There is no such approval"):
            await netra.arespond(name, approved=True, user=user)
    with pytest.raises(InvalidAction, match="cannot be edited"):
        await netra.arespond(approval_id, approved=True, arguments={"n": 2}, user="ann")
    with pytest.raises(TypeError, match="a dict or a list"):
        await netra.arespond(approval_id, approved=True, arguments="n", user="ann")  # type: ignore[arg-type]
    await netra.arespond(approval_id, approved=True, value="gladly", user="ann")
    assert (await run.await_(SECONDS)).result == [True, "gladly"]
    with pytest.raises(AlreadyDecided):
        await netra.arespond(approval_id, approved=False, user="ann")


async def test_respond__within_a_transaction__after_the_commit(each_database, asking) -> None:
    run, approval_id = await question("ann")

    def view(fails: bool) -> None:
        try:
            with transaction.atomic():
                netra.respond(approval_id, approved=False, user="ann")
                if fails:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            pass

    await asyncio.to_thread(view, fails=True)
    assert (await run.arefresh()).status == "waiting"
    await asyncio.to_thread(view, fails=False)
    assert (await run.await_(SECONDS)).result == [False, None]
    with pytest.raises(AlreadyDecided):
        await asyncio.to_thread(view, fails=False)

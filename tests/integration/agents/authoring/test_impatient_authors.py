"""Agents that give up waiting for an event, with a timeout of their own, and go on: the run has no holes."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from netra.agents import AgentError, AgentRegistry
from netra.agents.conf import conf
from test_framework.journal_operations import blocked, state
from test_framework.ssot.factories import GITHUB, create_test_manager
from websocket_core.database import db
from websocket_core.errors import JournalUnavailable
from websocket_core.gateway import get_gateway
from websocket_core.models import Event
from websocket_core.testing.sockets import texts_of

pytestmark = pytest.mark.usefixtures("each_database")


async def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        await asyncio.sleep(0.01)


async def execute(manager: Any) -> Any:
    registry = AgentRegistry()
    registry.set_websocket_manager(manager)
    return await registry.create_agent("made").execute_with_websocket_events()


async def types_of(manager: Any) -> list[str]:
    rows = Event.objects.filter(run_id=manager.user_context.run_id).order_by("seq").values_list("event_type", flat=True)
    return await db.read(lambda: list(rows))


async def give_up(work: Any) -> None:
    """Begin it, and cancel it as soon as it waits."""
    task = asyncio.ensure_future(work)
    await asyncio.sleep(0.05)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_text_that_waits_for_a_place__comes_later(join, make, settings) -> None:
    settings.NETRA_JOURNAL_QUEUE, settings.NETRA_DELTA_SECONDS = 5, 0

    async def body(ctx, input):
        async with ctx.message() as message:
            await message.append("one ")
            await ctx.events.settle()
            blocker, journal = await blocked(), get_gateway().journal
            while not journal.full:
                journal.post(state(user=GITHUB))
            await give_up(message.append("two "))
            blocker.release.set()
            await message.append("three")

    make(body)
    client = await join()
    events = await client.finish(await client.start("made"))
    assert list(texts_of(events).values()) == ["one two three"]


async def test_tool_whose_beginning_was_not_written__has_no_end(make, faults, settings) -> None:
    settings.NETRA_JOURNAL_TIMEOUT = 0.2

    async def body(ctx, input):
        faults.away = True
        await give_up(ctx.tool("search").begin())
        await until(lambda: get_gateway().journal.given_up)
        faults.away = False
        with pytest.raises(JournalUnavailable):
            await ctx.say("It did not answer.")

    make(body)
    manager = create_test_manager()
    with pytest.raises(AgentError, match="database"):
        await execute(manager)
    assert await types_of(manager) == ["agent_started", "agent_failed"]


async def test_event_that_waits_for_the_one_before_it__comes_not_at_all(make) -> None:
    async def body(ctx, input):
        blocker = await blocked()
        for number in range(conf.IN_FLIGHT):
            await ctx.publish_state(number)
        await give_up(ctx.publish_state("never"))
        blocker.release.set()
        await ctx.publish_state("last")

    make(body)
    manager = create_test_manager()
    await execute(manager)
    assert await types_of(manager) == ["agent_started", *["agent_state"] * (conf.IN_FLIGHT + 1), "agent_completed"]

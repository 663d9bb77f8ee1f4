"""Who may write: the holder of the newest fencing token, and nobody after a run's terminal event."""

import asyncio

import pytest

from test_framework.journal_operations import Lend, blocked, state, states
from test_framework.ssot.factories import GOOGLE
from websocket_core.database import db
from websocket_core.errors import LeaseLostError, RunOverError
from websocket_core.gateway import get_gateway
from websocket_core.journal import Append
from websocket_core.models import Thread

pytestmark = pytest.mark.usefixtures("each_database")


async def test_fence__an_old_token_writes_nothing():
    journal = get_gateway().journal
    old = await journal.submit(Lend("r"))
    assert await journal.submit(state("old", fence=old)) == 1
    new = await journal.submit(Lend("r"))
    for late in (state("late", fence=old), state("later", fence=old), state("other run", run="r2", fence=new)):
        with pytest.raises(LeaseLostError):
            await journal.submit(late)
    assert await journal.submit(state("new", fence=new)) == 2
    assert await states() == ["old", "new"]


async def test_fence__changed_in_the_middle_of_a_batch():
    journal = get_gateway().journal
    old = await journal.submit(Lend("r"))
    blocker = await blocked()
    futures = [
        journal.post(op)
        for op in (state(1, fence=old), Lend("r2"), state(2, fence=old), state(3, run="r2", fence=old + 1))
    ]
    blocker.release.set()
    await asyncio.wait(futures)
    assert isinstance(futures[2].exception(), LeaseLostError)
    assert await states() == [1, 3]


async def test_fence__of_a_thread_that_is_gone():
    with pytest.raises(LeaseLostError):
        await get_gateway().journal.submit(state(thread="never there", fence=1))
    assert await db.read(Thread.objects.count) == 0


async def test_terminal_event__nothing_follows():
    journal = get_gateway().journal
    await journal.submit(state(1))
    await journal.submit(Append(GOOGLE, "t", "r", None, "agent_completed", '{"state":"end"}'))
    for late in (state("late"), Append(GOOGLE, "t", "r", None, "agent_failed", "{}")):
        with pytest.raises(RunOverError):
            await journal.submit(late)
    assert await journal.submit(state("another run", run="r2")) == 3
    assert await states() == [1, "end", "another run"]


async def test_terminal_event__in_the_middle_of_a_batch():
    blocker = await blocked()
    journal = get_gateway().journal
    end = Append(GOOGLE, "t", "r", None, "agent_completed", '{"state":"end"}')
    futures = [journal.post(operation) for operation in (state(1), end, state(2), state(3, run="r2"))]
    blocker.release.set()
    await asyncio.wait(futures)
    assert isinstance(futures[2].exception(), RunOverError)
    assert await states() == [1, "end", 3]

"""What the watchdog tells connections: what is news."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from test_framework.journal_operations import state
from test_framework.ssot.factories import GITHUB, GOOGLE
from websocket_core.connections.watch.watchdog import _moved_since
from websocket_core.database import db
from websocket_core.gateway import get_gateway

pytestmark = pytest.mark.usefixtures("each_database")


async def test_news__is_what_moved_since_the_last_look():
    before = datetime.now(UTC) - timedelta(seconds=1)
    journal = get_gateway().journal
    await asyncio.gather(*(journal.post(state(thread=f"t{number}")) for number in range(3)))
    news, heads = await db.read(_moved_since, before, {})
    assert sorted(news[GOOGLE]) == [("t0", 1), ("t1", 1), ("t2", 1)]
    assert await db.read(_moved_since, before, heads) == ({}, heads)
    await journal.submit(state(thread="t1"))
    news, heads = await db.read(_moved_since, before, heads)
    assert news == {GOOGLE: [("t1", 2)]}
    assert (await db.read(_moved_since, datetime.now(UTC), heads))[1] == {}  # nothing is kept that is long over


async def test_news__is_of_the_users_who_are_asked_for():
    before = datetime.now(UTC) - timedelta(seconds=1)
    journal = get_gateway().journal
    await asyncio.gather(*(journal.post(state(user=user)) for user in (GOOGLE, GITHUB, 'a "quoted" \\ user')))
    assert await db.read(_moved_since, before, {}, [GOOGLE]) == ({GOOGLE: [("t", 1)]}, {(GOOGLE, "t"): 1})
    news, _ = await db.read(_moved_since, before, {}, ['a "quoted" \\ user', "nobody"])
    assert list(news) == ['a "quoted" \\ user']
    assert await db.read(_moved_since, before, {}, []) == ({}, {})

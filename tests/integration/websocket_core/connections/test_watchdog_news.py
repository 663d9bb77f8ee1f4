"""The watchdog tells of what moved when its hint has had the time to come by itself."""

import asyncio
import time

import pytest

from test_framework.journal_operations import state
from test_framework.ssot.factories import GITHUB, GOOGLE
from websocket_core.bell import Bell, News
from websocket_core.connections.watch import watchdog
from websocket_core.gateway import get_gateway
from websocket_core.journal import Append
from websocket_core.journal import reading as journal_read
from websocket_core.process import metrics

pytestmark = pytest.mark.django_db(transaction=True)


async def test_look__asks_for_the_users_who_are_here__page_by_page(join, monkeypatch):
    monkeypatch.setattr(watchdog, "OWNERS_PAGE", 2)
    asked: list[list[str]] = []
    real = journal_read.moved_since

    def moved_since(moment, user_ids):
        asked.append(sorted(user_ids))
        return real(moment, user_ids)

    monkeypatch.setattr(journal_read, "moved_since", moved_since)
    users = [GOOGLE, GITHUB, "ann", "ben", "eve"]
    for user in [*users, GOOGLE]:
        await join(user)
    for user in [*users, "elsewhere"]:
        await get_gateway().journal.submit(state(user=user))
    asked.clear()
    look = get_gateway().watchdog
    await look._look_for_moved()
    assert sorted(len(page) for page in asked[:3]) == [1, 2, 2]
    assert sorted(user for page in asked[:3] for user in page) == sorted(users)
    assert set(look._heads) == {(user, "t") for user in users}


async def test_news__does_not_overtake_the_hint_that_is_on_its_way(join, monkeypatch):
    """Else every look would make each busy connection read what it gets anyway."""
    monkeypatch.setattr(watchdog, "HINT_SECONDS", 0.5)
    client = await join()
    await client.ask("ping")
    missed = metrics.hints_missed._value.get()
    late: list[News] = []
    monkeypatch.setattr(Bell, "ring", lambda bell, news: late.append(news))
    started = Append(GOOGLE, "t", "r", None, "agent_started", '{"agent_type":"test","input":{}}')
    await get_gateway().journal.submit(started)
    monkeypatch.undo()
    monkeypatch.setattr(watchdog, "HINT_SECONDS", 0.5)
    await get_gateway().watchdog._look_for_moved()
    assert late
    for news in late:
        get_gateway().bell.ring(news)
    began = time.monotonic()
    assert (await client.until("agent_started"))["seq"] == 1
    assert time.monotonic() - began < 0.4
    await asyncio.sleep(0.6)
    assert metrics.hints_missed._value.get() == missed

"""The watchdog tells of what moved when its hint has had the time to come by itself."""

import asyncio
import time

import pytest

from test_framework.ssot.factories import GOOGLE
from websocket_core import metrics, watchdog
from websocket_core.hub import get_hub
from websocket_core.journal import get_journal
from websocket_core.journal_transaction import Append

pytestmark = pytest.mark.django_db(transaction=True)


async def test_news__does_not_overtake_the_hint_that_is_on_its_way(join, monkeypatch):
    """Else every look would make each busy connection read what it gets anyway."""
    monkeypatch.setattr(watchdog, "HINT_SECONDS", 0.5)
    client = await join()
    await client.ask("ping")
    missed = metrics.hints_missed._value.get()
    ring, journal = get_journal().doorbell.ring, get_journal()
    late: list[object] = []
    monkeypatch.setattr(journal.doorbell, "ring", late.append)
    started = Append(GOOGLE, "t", "r", None, "agent_started", '{"agent_type":"test","input":{}}')
    await journal.submit(started)
    await get_hub()._watchdog._look_for_moved()
    for written in late:
        ring(written)  # type: ignore[arg-type]
    began = time.monotonic()
    assert (await client.until("agent_started"))["seq"] == 1
    assert time.monotonic() - began < 0.4
    await asyncio.sleep(0.6)
    assert metrics.hints_missed._value.get() == missed

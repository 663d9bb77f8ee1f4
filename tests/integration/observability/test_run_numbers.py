"""Numbers of the whole installation: right, and never in the way of a scrape."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import pytest

from netra.agents.observing import metrics
from seeds.history import make_run, make_thread
from websocket_core.database import db

pytestmark = pytest.mark.django_db(transaction=True)


def state(name: str) -> float:
    return float(metrics.runs_open.labels(state=name)._value.get())


async def test_numbers__of_open_runs() -> None:
    def fill() -> None:
        for status, minutes in (("queued", 7), ("queued", 2), ("running", 9), ("waiting", 9)):
            make_run(make_thread("u"), status=status, at=datetime.now(UTC) - timedelta(minutes=minutes))

    await db.writer.call(fill)
    await metrics.Numbers().refresh()
    assert (state("queued"), state("running"), state("waiting")) == (2, 1, 1)
    assert 7 * 60 <= metrics.oldest_queued._value.get() < 8 * 60


async def test_database_that_does_not_answer__holds_up_no_scrape_and_is_asked_once(monkeypatch) -> None:
    asked, answer, numbers = [], threading.Event(), metrics.Numbers()

    def hang() -> tuple[dict[str, int], None]:
        asked.append(1)
        answer.wait(60)
        return {"queued": 41}, None

    monkeypatch.setattr(metrics, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(metrics, "_open_runs", hang)
    try:
        async with asyncio.timeout(30):
            await numbers.refresh()
            await numbers.refresh()
        assert len(asked) == 1
        assert state("queued") != 41
    finally:
        answer.set()
    monkeypatch.setattr(metrics, "ANSWER_SECONDS", 30.0)
    await numbers.refresh()
    assert state("queued") == 41

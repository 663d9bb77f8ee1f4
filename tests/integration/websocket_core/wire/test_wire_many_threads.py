"""Clients that name very many threads: what it costs them, and that no event is lost for it."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from test_framework.gateway import issue_token
from test_framework.ssot.factories import GOOGLE, create_test_manager
from websocket_core.database import db
from websocket_core.gateway import get_gateway
from websocket_core.limits import action_limiter
from websocket_core.models import Thread
from websocket_core.testing.sockets import Client

pytestmark = pytest.mark.django_db(transaction=True)


def made_up(number: int) -> dict[str, int]:
    return {f"made-up-{number}-{each}": 0 for each in range(1000)}


async def have_threads(count: int, last_seq: int = 3, before=None) -> None:
    """Rows of threads whose events are pruned."""
    now = before or timezone.now()
    rows = [
        Thread(
            owner_id=GOOGLE,
            thread_id=f"t{n}",
            last_seq=last_seq,
            first_seq=last_seq + 1,
            created_at=now,
            updated_at=now,
        )
        for n in range(count)
    ]
    await db.read(Thread.objects.bulk_create, rows)


async def answers(client: Client, count: int) -> list[dict[str, Any]]:
    return [await client.receive_json() for _ in range(count)]


def remembered() -> int:
    """Threads that the only connection remembers something of."""
    (connection,) = get_gateway().hub.connections()
    assert connection.delivery is not None
    return len(connection.delivery._lanes) + len(connection.delivery._threads.positions)


async def write(thread: str) -> None:
    await create_test_manager(GOOGLE, thread_id=thread).emit_critical_event(GOOGLE, "agent_started", {})


async def test_made_up_threads__are_answered__remembered_nowhere__and_live_when_they_begin(join):
    client = await join()
    for number in range(8):
        await client.send("resume", cursors=made_up(number))
        assert {(frame["event_type"], frame["last_seq"]) for frame in await answers(client, 1000)} == {("resumed", 0)}
    assert remembered() == 0
    await write("made-up-3-500")
    frame = await client.until("agent_started")
    assert (frame["thread_id"], frame["seq"]) == ("made-up-3-500", 1)


async def test_old_threads_beyond_the_heads__resumed_where_they_stand__are_remembered_nowhere(join, settings):
    settings.NETRA_HEADS = 5
    await have_threads(300, before=timezone.now() - timedelta(days=1))
    for number in range(5):
        await write(f"new-{number}")
    client = await join()
    await client.send("resume", cursors={f"t{n}": 3 for n in range(300)})
    assert {frame["last_seq"] for frame in await answers(client, 300)} == {3}
    assert remembered() == 5
    await write("t7")
    frame = await client.until("agent_started")
    assert (frame["thread_id"], frame["seq"]) == ("t7", 4)


async def test_thousand_cursors__cost_as_much_as_many_actions(join, settings, monkeypatch):
    monkeypatch.setattr(action_limiter, "_clock", lambda: 1000.0)
    client = await join()
    for number in range(9):
        await client.send("resume", cursors=made_up(number))
        await answers(client, 1000)
    for _ in range(2):  # 9 times 22: the action, 20 for its cursors, 1 for its JSON values
        assert (await client.ask("ping"))["event_type"] == "pong"
    assert (await client.ask("ping"))["code"] == "rate_limited"


async def test_legitimate_reconnect_of_three_thousand_threads__is_let_through(join):
    await have_threads(3000)
    client = await join()
    for number in range(3):
        await client.send("resume", cursors={f"t{n}": 3 for n in range(1000 * number, 1000 * number + 1000)})
    assert {frame["event_type"] for frame in await answers(client, 3000)} == {"resumed"}


async def test_active_in_more_threads_than_one_may_be__comes_back_and_misses_nothing(join, settings):
    settings.NETRA_THREADS_BYTES = 20 * 1024
    token = await issue_token(GOOGLE)
    client = await join(token=token)
    await client.ask("watch", threads=["none-of-them"])
    for number in range(80):
        await write(f"t{number}")
    assert await client.closed() == 1012
    assert (client.frames[-1]["code"], client.frames[-1]["retry_after_ms"]) == ("draining", 1000)
    again = await join(token=token)
    await again.send("resume", cursors={f"t{number}": 0 for number in range(10)})
    for number in range(10):
        await again.until("resumed", thread_id=f"t{number}")
        assert len(again.oracle.threads[f"t{number}"].texts) == 1

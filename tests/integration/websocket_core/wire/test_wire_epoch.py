"""The epoch: after a backup is restored, no client resumes from a number of the lost history."""

import asyncio
from typing import Any

import msgspec
import pytest
from django.core.management import call_command

from integration.netra.api.api_caller import Caller
from test_framework.ssot.factories import GOOGLE, create_test_manager
from websocket_core.database import db
from websocket_core.journal import epoch
from websocket_core.journal.epoch import look
from websocket_core.models import JournalEpoch
from websocket_core.testing.sockets import RecordingWebSocket

pytestmark = pytest.mark.django_db(transaction=True)


async def write(count: int, *, kind: str = "agent_started") -> None:
    """Events of a run that begins."""
    manager = create_test_manager(thread_id="t", run_id="r")
    for number in range(count):
        await manager.emit_critical_event(GOOGLE, "agent_state" if number else kind, {"state": number})


async def restore() -> str:
    """A backup was restored, as far as the epoch goes; the new one."""
    await db.write(call_command, "new_epoch")
    return await look()


async def test_answers_that_position__carry_it__and_it_stays(join):
    await write(3)
    now = await look()
    assert 0 < len(now) <= 128
    client = await join()
    await client.send("resume", cursors={"t": 1})
    assert (await client.until("replaying"))["epoch"] == now
    assert (await client.until("resumed"))["epoch"] == now
    assert (await client.ask("sync"))["epoch"] == now
    again = await join(oracle=client.oracle)
    client.oracle.reconnected({"t": 3})
    assert client.oracle.epoch == now
    assert (await again.ask("resume", cursors={"t": 3}, epoch=now))["event_type"] == "resumed"


async def test_another_epoch__every_thread_begins_anew__and_nothing_moves(join):
    await write(3)
    client = await join()
    now = await look()
    await client.send("resume", cursors={"t": 2, "made-up": 7, "zero": 0}, epoch="another", request_id="q")
    for thread in ("t", "made-up", "zero"):
        answer = await client.receive_json()
        assert (answer["code"], answer["thread_id"], answer["first_seq"]) == ("cursor_expired", thread, 1)
        assert (answer["epoch"], answer["request_id"]) == (now, "q")
    await write(1, kind="agent_state")
    assert (await client.until("agent_state"))["seq"] == 4  # where it stood
    fresh = await join()
    assert (await fresh.ask("resume", cursors={"t": 0}, epoch=now))["event_type"] == "replaying"


async def test_epoch_that_is_none__is_refused_or_no_matter(join):
    await write(1)
    client = await join()
    wrongs: list[Any] = ["x" * 129, 7, []]
    for wrong in wrongs:
        answer = await client.ask("resume", cursors={"t": 1}, epoch=wrong)
        assert (answer["code"], answer["field"]) == ("invalid_action", "epoch")
    for none in ("", None):
        await client.send_json({"action": "resume", "cursors": {"t": 1}, "epoch": none})
        assert (await client.receive_json())["event_type"] == "resumed"


async def test_open_sockets__are_told_to_come_back(join, settings):
    """Their positions are of the old history; each would miss what the new one has up to there."""
    settings.NETRA_WATCHDOG_SECONDS = settings.NETRA_HEARTBEAT_SECONDS = 0.05
    await write(3)
    client, bare = await join(), RecordingWebSocket()
    await client.ask("resume", cursors={"t": 3})
    manager = create_test_manager(thread_id="t", run_id="r")
    await manager.add_connection(bare)
    before = client.oracle.epoch
    now = await restore()
    assert now != before
    assert await client.closed() == 1012
    assert (client.frames[-1]["code"], client.frames[-1]["retry_after_ms"] > 0) == ("draining", True)
    async with asyncio.timeout(20):
        while bare.close_code is None:  # noqa: ASYNC110 - the watchdog's doing
            await asyncio.sleep(0.01)
    again = await join(oracle=client.oracle)
    answer = await again.ask("resume", cursors={"t": 3}, epoch=before)
    assert (answer["code"], answer["first_seq"], answer["epoch"]) == ("cursor_expired", 1, now)
    await again.send("resume", cursors={"t": 0}, epoch=now)
    assert (await again.until("resumed"))["last_seq"] == 3
    assert len(again.oracle.transcript("t")) == 3  # seen anew: the oracle has forgotten the old history


async def test_http__the_same_for_a_page_of_events():
    await write(3)
    caller = await Caller.of(GOOGLE)
    page = await events(caller, "")
    assert (page["last_seq"], page["epoch"]) == (3, await look())
    assert len((await events(caller, f"?after=1&epoch={page['epoch']}"))["events"]) == 2
    now = await restore()
    refused = await caller.send("GET", f"/threads/t/events?after=1&epoch={page['epoch']}", None)
    problem = msgspec.json.decode(refused.content)
    assert (refused.status_code, problem["code"], problem["first_seq"]) == (410, "cursor_expired", 1)
    assert problem["epoch"] == now


async def events(caller: Caller, query: str) -> dict[str, Any]:
    answer = await caller.send("GET", f"/threads/t/events{query}", None)
    found: dict[str, Any] = msgspec.json.decode(answer.content)
    return found


# The database it was recorded in


@pytest.mark.parametrize("part", ["cluster", "database", "events", "timeline"])
@pytest.mark.parametrize("each_database", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
async def test_another_database__another_epoch(each_database, part):
    """By each of the things that tell one PostgreSQL from another."""
    before = await look()
    assert await look() == before
    known = await db.read(epoch.identity)
    assert set(known) == {"cluster", "database", "events", "timeline"}
    text = msgspec.json.encode(known | {part: "another"}).decode()
    await db.write(lambda: JournalEpoch.objects.update(identity=text))
    now = await look()
    assert now != before
    assert await look() == now


@pytest.mark.parametrize("each_database", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
async def test_new_connection__is_looked_at_before_it_is_believed(each_database, settings):
    """A restore breaks connections; nobody waits for the next look of the watchdog."""
    settings.NETRA_DB_THREADS = 1
    before = await look()
    assert (await epoch.with_epoch(int))[0] == before
    await db.write(lambda: JournalEpoch.objects.update(identity='{"database":"another"}'))
    assert (await epoch.with_epoch(int))[0] == before  # the connection is the one that was looked at
    db.readers.close()
    assert (await epoch.with_epoch(int))[0] != before


@pytest.mark.parametrize("each_database", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
async def test_what_a_database_does_not_tell__is_no_difference(each_database, monkeypatch):
    """Not every PostgreSQL lets its users see its cluster."""
    before, whole = await look(), epoch.identity
    monkeypatch.setattr(epoch, "identity", lambda: {"database": whole()["database"]})
    assert await look() == before
    monkeypatch.undo()
    assert await look() == before


async def test_many_who_look_first__have_one_epoch(each_database):
    assert len(set(await asyncio.gather(*(look() for _ in range(10))))) == 1

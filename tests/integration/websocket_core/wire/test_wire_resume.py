"""resume, sync, watch and ack: every cursor gets an answer; replays are announced, whole, and byte-identical."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from test_framework.gateway import settle
from test_framework.ssot.factories import GITHUB, GOOGLE, create_test_manager
from websocket_core.database import db
from websocket_core.journal.epoch import look
from websocket_core.models import Event, Thread
from websocket_core.testing.sockets import Client, OrderOracle

pytestmark = pytest.mark.django_db(transaction=True)


async def write(count: int, *, user: str = GOOGLE, thread: str = "t", run: str = "r", size: int = 0) -> None:
    """Events of a run, from `agent_started` on."""
    manager = create_test_manager(user, thread_id=thread, run_id=run)
    await manager.emit_critical_event(user, "agent_started", {})
    for number in range(count - 1):
        await manager.emit_critical_event(user, "agent_state", {"state": [number, "x" * size]})


async def resumed(client: Client, **cursors: int) -> dict[str, Any]:
    """Resume one thread; returns its `resumed`."""
    ((thread, _),) = cursors.items()
    await client.send("resume", cursors=cursors)
    return await client.until("resumed", thread_id=thread)


def texts(client: Client, thread: str = "t") -> dict[int, str]:
    return client.oracle.threads[thread].texts


async def journalled(thread: str = "t", user: str = GOOGLE) -> dict[int, str]:
    return dict(
        await db.read(
            lambda: list(
                Event.objects.filter(thread__owner_id=user, thread__thread_id=thread).values_list("seq", "frame")
            )
        )
    )


async def test_from_the_beginning__everything_as_it_was_journalled(join):
    await write(50)
    client = await join()
    await client.send("resume", cursors={"t": 0}, request_id="q")
    replaying = await client.receive_json()
    assert replaying.pop("epoch") == await look()
    assert replaying == {"event_type": "replaying", "thread_id": "t", "from_seq": 1, "to_seq": 50, "request_id": "q"}
    answer = await client.until("resumed")
    assert (answer["last_seq"], answer["run_id"], answer["request_id"]) == (50, None, "q")
    assert texts(client) == await journalled()


async def test_from_the_middle(join):
    await write(50)
    client = await join()
    assert (await resumed(client, t=30))["last_seq"] == 50
    assert sorted(texts(client)) == list(range(31, 51))


async def test_at_the_head__no_replay(join):
    await write(5)
    client = await join()
    await client.send("resume", cursors={"t": 5})
    frame = await client.receive_json()
    assert (frame["event_type"], frame["last_seq"]) == ("resumed", 5)


async def test_ahead__invalid_cursor__and_the_position_stays(join):
    await write(5)
    client = await join()
    answer = await client.ask("resume", cursors={"t": 6})
    assert (answer["code"], answer["thread_id"], answer["last_seq"]) == ("invalid_cursor", "t", 5)
    await create_test_manager(thread_id="t", run_id="r").emit_critical_event(GOOGLE, "agent_state", {"state": 1})
    assert (await client.until("agent_state"))["seq"] == 6


async def test_foreign_and_made_up_threads__are_the_same(join):
    await write(5, user=GITHUB)
    client = await join()
    for thread in ("t", "never_there"):
        at_zero = await client.ask("resume", cursors={thread: 0})
        assert (at_zero["event_type"], at_zero["last_seq"], at_zero["run_status"]) == ("resumed", 0, None)
        above = await client.ask("resume", cursors={thread: 1})
        assert (above["code"], above["last_seq"]) == ("invalid_cursor", 0)
    await write(1)
    assert (await client.until("agent_started"))["seq"] == 1


async def test_older_than_retention__cursor_expired(join):
    await write(10)

    def prune() -> None:
        Event.objects.filter(seq__lte=4).delete()
        Thread.objects.update(first_seq=5)

    await db.read(prune)
    client = await join()
    answer = await client.ask("resume", cursors={"t": 3})
    assert (answer["code"], answer["first_seq"]) == ("cursor_expired", 5)
    assert (await resumed(client, t=answer["first_seq"] - 1))["last_seq"] == 10
    assert sorted(texts(client)) == list(range(5, 11))


async def test_twice__the_second_goes_back_and_is_announced(join):
    await write(20)
    client = await join()
    await resumed(client, t=0)
    await resumed(client, t=0)
    assert len([frame for frame in client.frames if frame.get("seq") == 7]) == 2
    assert texts(client) == await journalled()


async def test_newer_resume_ends_the_replay_of_the_older(join, settings):
    settings.NETRA_PAGE_EVENTS = 10
    await write(300, size=2000)
    client = await join()
    await client.send("resume", cursors={"t": 0}, request_id="one")
    await client.send("resume", cursors={"t": 100}, request_id="two")
    first = await client.until("resumed")
    second = await client.until("resumed")
    assert [first["request_id"], second["request_id"]] == ["one", "two"]
    assert second["last_seq"] == 300


async def test_many_threads_in_one_frame(join):
    for number in range(5):
        await write(3, thread=f"t{number}", run=f"r{number}")
    client = await join()
    await client.send("resume", cursors={f"t{number}": number % 4 for number in range(5)})
    for _ in range(5):
        await client.until("resumed")
    for number in (0, 1, 2, 4):
        assert sorted(texts(client, f"t{number}")) == list(range(number % 4 + 1, 4))


async def test_run_status(join, make):
    gate = asyncio.Event()

    async def body(ctx, input):
        await gate.wait()
        await ctx.approve("?")

    make(body)
    client = await join()
    run = await client.start("made", thread_id="t")
    assert (await resumed(client, t=run["seq"]))["run_status"] == "running"
    gate.set()
    asked = await client.until("approval_requested")
    answer = await resumed(client, t=asked["seq"])
    assert (answer["run_status"], answer["run_id"]) == ("waiting", run["run_id"])
    await client.send("respond", run_id=run["run_id"], approval_id=asked["data"]["approval_id"], approved=True)
    end = (await client.finish(run))[-1]
    assert (await resumed(client, t=end["seq"]))["run_status"] == "completed"


async def test_during_a_run_of_500_events_a_second__ten_times_and_in_two_tabs(join, make):
    """What a client that resumed ten times has seen equals what an uninterrupted one has seen, byte for byte."""

    async def body(ctx, input):
        for number in range(750):
            await ctx.publish_state(number)
            await asyncio.sleep(0.002)

    make(body)
    steady, tab = await join(), await join()
    run = await steady.start("made", thread_id="t")

    async def restless() -> OrderOracle:
        oracle = OrderOracle()
        for _ in range(10):
            client = await join(oracle=oracle)
            await client.send("resume", cursors={"t": max(oracle.cursors().get("t", 0), 0)})
            await client.until("resumed")
            for _ in range(20):
                await client.receive_json()
            await client.close()
            oracle.reconnected()
        client = await join(oracle=oracle)
        await client.send("resume", cursors=oracle.cursors())
        await client.finish(run)
        return oracle

    async def impatient() -> None:
        for _ in range(5):
            await tab.send("resume", cursors={"t": 0})
            await tab.until("resumed")
        await tab.finish(run)

    oracle, _, _ = await asyncio.gather(restless(), impatient(), steady.finish(run))
    expected = await journalled()
    assert len(expected) == 752
    for seen in (texts(steady), texts(tab), oracle.threads["t"].texts):
        assert seen == expected


# sync


async def test_sync__newest_first(join, make):
    gate = asyncio.Event()

    async def body(ctx, input):
        await gate.wait()

    make(body)
    client = await join()
    for thread in ("a", "b"):
        await client.finish(await client.start("test", thread_id=thread, input={"message": f"hello {thread}"}))
    run = await client.start("made", thread_id="c")
    threads = (await client.ask("sync"))["threads"]
    assert [thread["thread_id"] for thread in threads] == ["c", "b", "a"]
    assert [thread["title"] for thread in threads] == ["made", "hello b", "hello a"]
    assert [thread["active_run_id"] for thread in threads] == [run["run_id"], None, None]
    assert threads[1]["last_seq"] == 6
    gate.set()


async def test_sync__pages__show_every_thread_once(join):
    """Also threads that moved in one transaction, and so at the same time."""
    managers = [create_test_manager(thread_id=f"t{number}", run_id="r") for number in range(12)]
    await asyncio.gather(*[manager.emit_critical_event(GOOGLE, "agent_started", {}) for manager in managers])
    await asyncio.gather(*[manager.emit_critical_event(GOOGLE, "agent_state", {"state": 1}) for manager in managers])
    client = await join()
    found: list[str] = []
    before = None
    while page := (await client.ask("sync", limit=5, before=before))["threads"]:
        found += [thread["thread_id"] for thread in page]
        before = page[-1]["updated_at"]
    assert sorted(found) == sorted(f"t{number}" for number in range(12))


@pytest.mark.parametrize("before", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-31T12:00:00"])
async def test_sync__before_what_is_no_moment(join, before):
    answer = await (await join()).ask("sync", before=before)
    assert (answer["code"], answer["field"]) == ("invalid_action", "before")


async def test_sync__shows_nobody_elses(join):
    await write(1, user=GITHUB)
    assert (await (await join()).ask("sync"))["threads"] == []
    later = (timezone.now() + timedelta(days=1)).isoformat()
    assert (await (await join()).ask("sync", before=later))["threads"] == []


# watch


async def test_watch__pauses_and_goes_on(join):
    client = await join()
    assert (await client.ask("watch"))["threads"] == "*"
    await write(2, thread="a")
    await client.until("agent_state")
    assert (await client.ask("watch", threads=["b"]))["threads"] == ["b"]
    manager = create_test_manager(thread_id="a", run_id="r")
    for number in range(3):
        await manager.emit_critical_event(GOOGLE, "agent_state", {"state": number})
    await write(1, thread="b", run="r2")
    assert (await client.until("agent_started"))["thread_id"] == "b"
    await settle()
    assert await client.receive_nothing(0.1)
    assert (await client.ask("watch", threads=["a", "b"]))["threads"] == ["a", "b"]
    await client.receive_until(lambda frame: frame.get("seq") == 5)
    assert sorted(texts(client, "a")) == [1, 2, 3, 4, 5]


async def test_watch__start_and_resume_add_their_thread(join):
    await write(2, thread="old")
    client = await join()
    await client.ask("watch", threads=[])
    await client.finish(await client.start("test", thread_id="new"))
    await resumed(client, old=0)
    assert (await client.ask("watch", threads=[]))["threads"] == []


# ack


async def test_ack__opens_the_window(join, settings):
    settings.NETRA_WINDOW_CHARS = 20_000
    client = await join()
    await client.ask("ping")
    await write(2, size=1000)
    await client.receive_until(lambda frame: frame.get("seq") == 2)
    await client.send("ack", cursors={"t": 2})
    manager = create_test_manager(thread_id="t", run_id="r")
    for number in range(100):
        await manager.emit_critical_event(GOOGLE, "agent_state", {"state": [number, "x" * 1000]})
    await settle()
    while not await client.receive_nothing(0.2):
        pass
    stuck = max(texts(client))
    assert 10 <= stuck <= 22
    while stuck < 102:
        await client.send("ack", cursors={"t": stuck})
        await client.receive_until(lambda frame, after=stuck: frame.get("seq", 0) > after)
        while not await client.receive_nothing(0.05):
            pass
        stuck = max(texts(client))
    assert texts(client) == await journalled()


async def test_ack__ahead_of_what_was_sent(join):
    client = await join()
    await client.ask("ping")
    await write(2)
    await client.receive_until(lambda frame: frame.get("seq") == 2)
    answer = await client.ask("ack", cursors={"t": 3})
    assert (answer["code"], answer["thread_id"], answer["last_seq"]) == ("invalid_cursor", "t", 2)
    answer = await client.ask("ack", cursors={"unknown": 1})
    assert (answer["code"], answer["last_seq"]) == ("invalid_cursor", 0)


async def test_one_bad_cursor__costs_its_own_thread_only(join):
    await write(20)
    client = await join()
    await client.send("resume", cursors={"bad": "12", "t": 3, "a b": 1, "new": 0}, request_id="q")
    answers = [await client.until("error") for _ in range(2)]
    await client.until("resumed", thread_id="t")
    assert any(frame["event_type"] == "resumed" and frame["thread_id"] == "new" for frame in client.frames)
    assert texts(client).keys() == set(range(4, 21))
    assert [(one["code"], one["field"], one.get("thread_id"), one["request_id"]) for one in answers] == [
        ("invalid_action", "cursors", "bad", "q"),
        ("invalid_action", "cursors", None, "q"),
    ]
    await client.send("ack", cursors={"t": 20, "bad": 1.5})
    assert (await client.until("error"))["thread_id"] == "bad"

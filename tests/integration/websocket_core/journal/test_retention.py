"""What is older than the retention goes: page by page, with everything that belongs to it, and never unasked."""

import io
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F
from django.utils import timezone

from integration.netra.api.api_caller import Caller, problem
from netra.agents.models import Approval, Decision, Memory, Run
from test_framework.journal_operations import state
from test_framework.ssot.factories import GITHUB, GOOGLE
from websocket_core.database import db
from websocket_core.gateway import get_gateway
from websocket_core.models import NOBODY, AccessToken, Connection, Event, JournalCommit, OwnerDay, Process, Thread
from websocket_core.retention import pruning, removal

OLD = timedelta(days=40)
MOMENTS = {
    Event: ("created_at",),
    Thread: ("created_at", "updated_at"),
    Run: ("created_at", "started_at", "finished_at"),
    Memory: ("updated_at",),
}


def age(user_id: str = GOOGLE) -> None:
    """Everything a user has is forty days older."""
    for model, fields in MOMENTS.items():
        whose = {"owner_id": user_id} if model in (Thread, Run) else {"thread__owner_id": user_id}
        pks = list(model._default_manager.filter(**whose).values_list("pk", flat=True))
        model._default_manager.filter(pk__in=pks).update(**{name: F(name) - OLD for name in fields})


def prune(**options: Any) -> str:
    out = io.StringIO()
    call_command("prune_events", stdout=out, **options)
    return out.getvalue()


async def ask_and_wait(ctx, input):
    async with ctx.tool("look", {"q": "x" * 500}) as call:
        call.result = "found"
    decision = await ctx.approve("May I?")
    await ctx.remember("rest:gone", b"x" * 1000)
    await ctx.remember("notes", b"y" * 1000)
    return {"approved": decision.approved}


@pytest.mark.usefixtures("each_database")
async def test_runs_and_what_belongs_to_them__go_with_their_events(join, make):
    make(ask_and_wait)
    for user in (GOOGLE, GITHUB):
        client = await join(user)
        run = await client.start("made", thread_id="t", run_id=f"r-{user}", input={"message": "hello"})
        asked = await client.until("approval_requested")
        await client.send(
            "respond", run_id=run["run_id"], approval_id=asked["data"]["approval_id"], approved=True, value=None
        )
        last = (await client.finish(run))[-1]["seq"]
    await db.read(age)
    before = timezone.now() - timedelta(days=30)

    told = await db.read(lambda: prune(dry_run=True))
    assert told.startswith(f"Would delete {last} events of 1 threads")
    assert "1 runs" in told
    assert await db.read(Event.objects.count) == 2 * last

    told = await db.read(prune)
    assert told.startswith(f"Deleted {last} events of 1 threads")
    assert before < timezone.now()
    left = {model: await db.read(model.objects.count) for model in (Event, Run, Approval, Decision, Memory)}
    assert left == {Event: last, Run: 1, Approval: 1, Decision: 1, Memory: 2}  # the other user's, all of it
    ann = await Caller.of(GOOGLE)
    assert (await ann.get("/threads"))["threads"] == []
    problem(await ann.send("GET", f"/runs/r-{GOOGLE}"), 404, "not_found")
    thread = await db.read(lambda: Thread.objects.get(owner_id=GOOGLE))
    assert (thread.first_seq, thread.last_seq, thread.bytes) == (last + 1, last, 0)

    again = await ann.run("test", thread_id="t")  # the name goes on counting
    assert again["status"] == "completed"
    assert (await ann.get(f"/threads/t/events?after={last}"))["events"][0]["seq"] == last + 1


@pytest.mark.usefixtures("each_database")
async def test_of_a_thread_that_goes_on__the_new_stays(join):
    client = await join()
    old = await client.finish(await client.start("test", thread_id="t", run_id="old"))
    await db.read(age)
    new = await client.finish(await client.start("test", thread_id="t", run_id="new"))
    assert (await db.read(prune)).startswith(f"Deleted {len(old)} events of 1 threads, 1 runs")
    thread = await db.read(Thread.objects.get)
    assert (thread.first_seq, thread.last_seq, thread.deleted_at) == (new[0]["seq"], new[-1]["seq"], None)
    frames = await db.read(lambda: [len(frame.encode()) for frame in Event.objects.values_list("frame", flat=True)])
    run = await db.read(Run.objects.get)
    assert run.run_id == "new"
    assert thread.bytes == sum(frames) + len(run.input) + len(run.result)


@pytest.mark.usefixtures("each_database")
async def test_a_long_thread__goes_in_pages_that_leave_room_for_others(monkeypatch):
    monkeypatch.setattr(pruning, "PAGE", 7)
    journal = get_gateway().journal
    for number in range(20):
        await journal.submit(state(number))
    await db.read(age)

    def step_by_step() -> list[tuple[int, int]]:  # what is committed after each page
        return [(deleted, Thread.objects.get().first_seq) for deleted in pruning.prune_events(timezone.now())]

    assert await db.read(step_by_step) == [(7, 8), (7, 15), (6, 21)]


@pytest.mark.usefixtures("each_database")
async def test_rows_of_what_has_ended__go_and_those_of_what_lives_stay(join):
    client = await join()
    await client.ask("ping")

    def seed() -> None:
        now = timezone.now()
        for name, ended in (("old", now - OLD), ("new", now), ("alive", None)):
            process = Process.objects.create(
                process_id=name, kind="server", host="h", pid=1, started_at=now - OLD, heartbeat_at=ended or now,
                stopped_at=ended,
            )  # fmt: skip
            for number in range(3):
                Connection.objects.create(
                    connection_id=f"{name}{number}", user_id="u", process=process, credential="token",
                    connected_at=now - OLD, last_seen_at=now, disconnected_at=ended,
                )  # fmt: skip
            AccessToken.objects.create(user_id="u", digest=f"e{name}", created_at=now, expires_at=ended, label=name)
            AccessToken.objects.create(user_id="u", digest=f"r{name}", created_at=now, revoked_at=ended, label=name)
            Session.objects.create(session_key=name, session_data="", expire_date=ended or now + OLD)
        JournalCommit.objects.create(journal_id="old", batch=1, committed_at=now - OLD)
        OwnerDay.objects.create(owner_id="old", day=(now - OLD).toordinal(), bytes=1)
        Thread.objects.create(owner_id="u", thread_id="never used", created_at=now - OLD, updated_at=now - OLD)
        grave = Thread.objects.create(owner_id="u", thread_id="deleted", last_seq=1, created_at=now, updated_at=now)
        Event.objects.create(thread=grave, seq=1, run_id="r", event_type="x", frame="x", created_at=now)
        removal.take_away(grave)

    await db.read(seed)
    told = await db.read(prune)
    assert "3 connections" in told
    assert set(await db.read(lambda: list(Process.objects.values_list("pk", flat=True)))) >= {"new", "alive"}
    assert not await db.read(Process.objects.filter(pk="old").exists)
    assert await db.read(Connection.objects.filter(user_id="u").count) == 6
    labels = await db.read(lambda: sorted(AccessToken.objects.filter(user_id="u").values_list("label", flat=True)))
    assert labels == ["alive", "alive", "new", "new"]
    assert set(await db.read(lambda: list(Session.objects.values_list("pk", flat=True)))) == {"new", "alive"}
    assert not await db.read(JournalCommit.objects.filter(pk="old").exists)
    assert not await db.read(OwnerDay.objects.filter(pk="old").exists)
    assert not await db.read(Thread.objects.filter(thread_id="never used").exists)
    assert not await db.read(Thread.objects.filter(owner_id=NOBODY).exists)
    assert await client.ask("ping")


async def test_a_row_that_cannot_be_deleted__keeps_no_other_one(each_database, caplog):
    def seed() -> None:
        past = timezone.now() - OLD
        for number in range(5):
            Process.objects.create(
                process_id=f"p{number}", kind="server", host="h", pid=1, started_at=past, heartbeat_at=past,
                stopped_at=past,
            )  # fmt: skip
        OwnerDay.objects.create(owner_id="old", day=past.toordinal(), bytes=1)
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE protected (name varchar(128) REFERENCES websocket_core_process (process_id))")
            cursor.execute("INSERT INTO protected VALUES ('p1')")

    def drop() -> None:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE protected")

    def left() -> list[str]:
        return list(Process.objects.filter(host="h").values_list("pk", flat=True))

    await db.read(seed)
    try:
        assert "4 processes" in await db.read(prune)
        assert await db.read(left) == ["p1"]
    finally:
        await db.read(drop)
    assert not await db.read(OwnerDay.objects.filter(pk="old").exists)
    (error,) = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert error == "processes: row p1 cannot be deleted; it is skipped"


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        return True


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("days", [0, 0.5])
def test_almost_everything__is_never_deleted_unasked(days, monkeypatch):
    now = datetime.now(UTC)
    thread = Thread.objects.create(owner_id="u", thread_id="t", last_seq=1, created_at=now, updated_at=now)
    past = now - timedelta(hours=20)
    Event.objects.create(thread=thread, seq=1, run_id="r", event_type="x", frame="x", created_at=past)
    monkeypatch.setattr(sys, "stdin", io.StringIO())  # cron
    with pytest.raises(CommandError, match="--yes"):
        prune(days=days)
    monkeypatch.setattr(sys, "stdin", Terminal("\n"))
    assert "Nothing was deleted" in prune(days=days)
    assert "1 events of 1 threads" in prune(days=days, dry_run=True)
    assert Event.objects.count() == 1
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert "Deleted 1 events" in prune(days=days)
    assert Event.objects.count() == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", [{"yes": True}, {"days": 30}, {}])
def test_from_cron__the_usual_is_deleted_without_a_question(way, monkeypatch):
    now = datetime.now(UTC)
    thread = Thread.objects.create(owner_id="u", thread_id="t", last_seq=1, created_at=now - OLD, updated_at=now)
    Event.objects.create(thread=thread, seq=1, run_id="r", event_type="x", frame="x", created_at=now - OLD)
    monkeypatch.setattr(sys, "stdin", Terminal("") if "yes" in way else io.StringIO())
    began = time.monotonic()
    assert "Deleted 1 events of 1 threads" in prune(**way)
    assert time.monotonic() - began < 60
    for bad in (-1, float("nan"), 1e9):
        with pytest.raises(CommandError):
            prune(days=bad, yes=True)

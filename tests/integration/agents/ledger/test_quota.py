"""Room in the database is a user's own: starts and events beyond it are refused, and nothing is half written."""

import asyncio
import threading
from typing import Any

import msgspec
import pytest
from django.db import connection, transaction
from django.db.models import F

from integration.netra.api.api_caller import Caller, problem
from netra.agents import AgentError, AgentRegistry
from netra.agents.executors import make_executor
from netra.agents.ledger.starts import START_BYTES, StartRun
from netra.agents.models import Run
from test_framework.gateway import kinds
from test_framework.journal_operations import state
from test_framework.ssot.factories import GITHUB, GOOGLE, create_test_manager
from websocket_core.database import db
from websocket_core.errors import QuotaExceeded, RunLimit
from websocket_core.gateway import get_gateway
from websocket_core.journal import Transaction
from websocket_core.models import Event, OwnerDay, Thread
from websocket_core.protocols.run_service import StartRequest

KILO = "x" * 1000


def stored(**whose: Any) -> int:
    """Bytes of events, inputs and results, as they are in the database."""
    frames = Event.objects.filter(**{f"thread__{key}": value for key, value in whose.items()}).values_list("frame")
    runs = Run.objects.filter(**{f"thread__{key}": value for key, value in whose.items()}).values_list(
        "input", "result"
    )
    return sum(len(text.encode()) for row in (*frames, *runs) for text in row)


async def writes(ctx, input):
    for _ in range(input["events"]):
        await ctx.publish_state(KILO)
    return "done"


@pytest.mark.usefixtures("each_database")
async def test_everything_stored__is_counted_to_the_byte(join, make):
    async def works(ctx, input):
        await ctx.say("Grüße 🌍" * 30)
        async with ctx.message() as message:
            for _ in range(200):
                await message.append("ein Wört ")
        async with ctx.tool("search", {"q": "é"}) as call:
            call.result = {"found": "ü" * 500}
        await ctx.publish_state(KILO)
        return {"result": "ß" * 400}

    make(works)
    client, other = await join(), await join(GITHUB)
    for number in range(3):
        await client.finish(await client.start("made", thread_id=f"t{number % 2}", input={"message": "ä" * 100}))
        await other.finish(await other.start("made", input={"message": "ä" * 100}))
    for user in (GOOGLE, GITHUB):
        expected = await db.read(lambda user=user: stored(owner_id=user))
        threads = await db.read(lambda user=user: list(Thread.objects.filter(owner_id=user)))
        assert sum(thread.bytes for thread in threads) == expected
        assert [thread.uncounted_bytes for thread in threads] == [0] * len(threads)
        assert await db.read(lambda user=user: OwnerDay.objects.get(pk=user).bytes) == expected


@pytest.mark.usefixtures("each_database")
async def test_full_thread__ends_its_run_and_takes_no_other(join, make, settings):
    settings.NETRA_BYTES_PER_THREAD = 20_000
    make(writes)
    client, other = await join(), await join(GITHUB)
    events = await client.finish(await client.start("made", thread_id="t", input={"events": 50}))
    assert events[-1]["event_type"] == "agent_failed"
    assert events[-1]["data"]["code"] == "quota_exceeded"
    assert "20,000 bytes" in events[-1]["data"]["message"]
    assert "retry_after_ms" not in events[-1]["data"]
    assert 18_000 < await db.read(lambda: stored(owner_id=GOOGLE)) < 20_000 + len(str(events[-1])) * 2

    told = await client.ask("start_agent", agent_type="made", thread_id="t", input={"message": KILO})
    assert told["code"] == "quota_exceeded"
    assert "retry_after_ms" not in told
    assert await db.read(Run.objects.filter(owner_id=GOOGLE).count) == 1
    for one in (client, other):  # another thread, and another user's of the same name
        again = await one.finish(await one.start("made", thread_id="t" if one is other else "u", input={"events": 1}))
        assert again[-1]["event_type"] == "agent_completed"


@pytest.mark.usefixtures("each_database")
async def test_full_day__is_the_user_s_alone_and_no_deletion_empties_it(join, make, settings):
    settings.NETRA_BYTES_PER_USER_PER_DAY = 30_000
    make(writes)
    client, ann, other = await join(), await Caller.of(GOOGLE), await join(GITHUB)
    ended: list[dict[str, Any]] = []
    for number in range(5):
        answer = await client.start("made", thread_id=f"t{number}", input={"events": 10}) if not ended else {}
        if answer:
            events = await client.finish(answer)
            if events[-1]["event_type"] == "agent_failed":
                ended.append(events[-1]["data"])
    assert [data["code"] for data in ended] == ["quota_exceeded"]
    assert 0 < ended[0]["retry_after_ms"] <= 24 * 3600 * 1000
    used = await db.read(lambda: OwnerDay.objects.get(pk=GOOGLE).bytes)
    assert 29_000 < used < 31_000
    assert used == await db.read(lambda: stored(owner_id=GOOGLE))

    refused = await ann.send("POST", "/runs", {"agent_type": "made", "input": {"events": 1, "x": KILO}})
    told = problem(refused, 429, "quota_exceeded")
    assert 0 < told["retry_after_ms"] <= 24 * 3600 * 1000
    assert 0 < int(refused["Retry-After"]) <= 24 * 3600 + 1
    for number in range(2):
        assert (await ann.send("DELETE", f"/threads/t{number}")).status_code == 204
    problem(await ann.send("POST", "/runs", {"agent_type": "made", "input": {"x": KILO}}), 429, "quota_exceeded")
    assert kinds(await other.finish(await other.start("made", input={"events": 8})))[-1] == "agent_completed"

    await db.read(lambda: OwnerDay.objects.update(day=F("day") - 1))  # it was yesterday
    assert (await ann.run("made", input={"events": 1}))["status"] == "completed"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", ["swallows", "waits", "asks"])
async def test_refused_event__ends_the_run_whatever_its_agent_does(join, make, settings, way):
    settings.NETRA_BYTES_PER_THREAD = 10_000

    async def rude(ctx, input):
        async with ctx.tool("long", {"q": 1}):
            for number in range(10_000):
                try:
                    await ctx.publish_state(KILO if number % 2 else "small")
                    if way == "waits" and number == 30:
                        await asyncio.Event().wait()
                    if way == "asks" and number > 15:
                        await ctx.approve(KILO)
                except QuotaExceeded:
                    await asyncio.sleep(0.001)
                    continue

    make(rude)
    client = await join()
    events = await client.finish(await client.start("made", thread_id="t"))
    assert kinds(events)[-2:] == ["tool_completed", "agent_failed"]
    assert events[-1]["data"]["code"] == "quota_exceeded"
    states = [event["data"]["state"] for event in events if event["event_type"] == "agent_state"]
    assert states == ["small", KILO] * (len(states) // 2) + ["small"] * (len(states) % 2)  # no holes
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


@pytest.mark.django_db(transaction=True)
async def test_outside_a_leased_run__its_end_finds_room(make, settings):
    settings.NETRA_BYTES_PER_THREAD = 5_000

    async def works(ctx, input):
        async with ctx.tool("long", {"q": 1}):
            for _ in range(20):
                await ctx.publish_state(KILO)

    make(works)
    manager = create_test_manager()
    registry = AgentRegistry()
    registry.set_websocket_manager(manager)
    with pytest.raises(AgentError, match="5,000 bytes"):
        await registry.create_agent("made").execute_with_websocket_events(input={})
    types = await db.read(lambda: list(Event.objects.order_by("seq").values_list("event_type", flat=True)))
    assert types[0] == "agent_started"
    assert types[-2:] == ["tool_completed", "agent_failed"]
    frame = await db.read(lambda: Event.objects.latest("seq").frame)
    assert msgspec.json.decode(frame)["data"]["code"] == "quota_exceeded"


@pytest.mark.django_db(transaction=True)
async def test_zero__is_no_limit(settings):
    settings.NETRA_BYTES_PER_THREAD = settings.NETRA_BYTES_PER_USER_PER_DAY = 0
    for _ in range(3):
        await get_gateway().journal.submit(state(KILO * 100))
    assert await db.read(lambda: Thread.objects.get().bytes) > 300_000


def start(run_id: str, user_id: str = GOOGLE) -> StartRun:
    request = StartRequest(user_id=user_id, agent_type="test", thread_id=f"thread-{run_id}", run_id=run_id)
    return StartRun(request, '{"message":"hello"}', worker_id="w", executor=make_executor())


@pytest.mark.parametrize("each_database", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
@pytest.mark.parametrize("limit", ["runs", "bytes"])
def test_two_processes_that_start_at_once__are_judged_one_after_the_other(each_database, settings, limit):
    outcomes: dict[str, Any] = {}

    def commit(run_ids: list[str], users: list[str], between: Any) -> None:
        with transaction.atomic():
            work = Transaction()
            operations = [start(run_id, user) for run_id, user in zip(run_ids, users, strict=True)]
            work.lock(operations)
            for operation in operations:
                try:
                    operation.apply(work)
                    outcomes[operation.run_id] = "started"
                except (RunLimit, QuotaExceeded) as error:
                    outcomes[operation.run_id] = error.code
            work.flush()
            between()

    commit(["r1"], [GOOGLE], lambda: None)
    if limit == "runs":
        settings.NETRA_RUNS_PER_USER = 2
    else:
        taken = OwnerDay.objects.get(pk=GOOGLE).bytes
        wanted = START_BYTES + 2 * len('{"message":"hello"}')
        settings.NETRA_BYTES_PER_USER_PER_DAY = taken + wanted + taken // 2  # for one more

    def other_process() -> None:
        commit(["r3", "hers3"], [GOOGLE, GITHUB], lambda: None)
        connection.close()

    thread = threading.Thread(target=other_process)

    def until_it_waits() -> None:
        thread.start()
        with connection.cursor() as cursor:
            while thread.is_alive():
                cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
                if cursor.fetchone() is not None:
                    return

    commit(["hers2", "r2"], [GITHUB, GOOGLE], until_it_waits)  # the users in the other order: nobody may block for ever
    thread.join(20)
    assert not thread.is_alive()
    assert outcomes["r3"] == ("run_limit" if limit == "runs" else "quota_exceeded")
    assert outcomes["r2"] == outcomes["r1"] == "started"
    assert Run.objects.filter(owner_id=GOOGLE).count() == 2

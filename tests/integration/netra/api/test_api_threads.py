"""Threads over HTTP: pages without gaps, events byte for byte, renaming, deleting."""

import asyncio
from datetime import UTC, datetime

import pytest
from django.utils import timezone

from integration.netra.api.api_caller import Caller, problem
from websocket_core.models import Event, Thread

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def ann() -> Caller:
    return await Caller.of("ann")


async def test_events__are_the_socket_s_byte_for_byte(ann, join, settings):
    settings.NETRA_PAGE_CHARS = 600  # several pages
    texts = []
    client = await join("ann")
    receive = client.socket.recv

    async def recording():
        texts.append(await receive())
        return texts[-1]

    client.socket.recv = recording
    run = await client.start("test", input={"message": "Grüße 🌍"})
    events = await client.finish(run)
    path, got = f"/threads/{run['thread_id']}/events", []
    after: int | None = 0
    while after is not None:
        page = await ann.get(f"{path}?after={after}")
        assert page["last_seq"] == events[-1]["seq"]
        assert len(page["events"]) < len(events)
        got += page["events"]
        assert page["events"][0]["seq"] == after + 1
        after = page["next_after"]
        assert after != events[-1]["seq"]
    assert got == events
    pages = [await ann.send("GET", f"{path}?after={event['seq'] - 1}") for event in events]
    whole = "".join(page.content.decode() for page in pages)
    assert [text for text in texts if '"seq":' in text and text not in whole] == []


async def test_events__cursors_beyond_either_end(ann):
    run = await ann.run()
    path = f"/threads/{run['thread_id']}/events"
    first = await ann.get(path)
    last, epoch = first["last_seq"], first["epoch"]
    empty = {"events": [], "last_seq": last, "next_after": None, "epoch": epoch}
    assert await ann.get(f"{path}?after={last}") == empty
    assert problem(await ann.send("GET", f"{path}?after={last + 1}"), 422, "invalid_cursor")["last_seq"] == last
    await Event.objects.filter(seq__lt=3).adelete()
    await Thread.objects.aupdate(first_seq=3)
    assert problem(await ann.send("GET", f"{path}?after=1"), 410, "cursor_expired")["first_seq"] == 3
    assert (await ann.get(f"{path}?after=2"))["events"][0]["seq"] == 3
    for bad in ("-1", "x", "1.5", str(2**63), ""):
        problem(await ann.send("GET", f"{path}?after={bad}"), 422, "invalid_action")


async def test_threads__pages_lose_none_that_moved_in_one_commit(ann):
    now = timezone.now()
    await Thread.objects.abulk_create(
        Thread(owner_id="ann", thread_id=f"t{number:02}", created_at=now, updated_at=now, last_seq=1)
        for number in range(25)
    )
    seen: list[str] = []
    before: str | None = ""
    while before is not None:
        page = await ann.get(f"/threads?limit=10{before}")
        assert len(page["threads"]) <= 10
        seen += [thread["thread_id"] for thread in page["threads"]]
        before = page["next_before"] and f"&before={page['next_before']}"
    assert seen == [f"t{number:02}" for number in reversed(range(25))]


async def test_threads__an_exact_last_page_has_no_next(ann):
    for _ in range(2):
        await ann.run()
    page = await ann.get("/threads?limit=2")
    assert len(page["threads"]) == 2
    assert page["next_before"] is None
    newest, oldest = page["threads"]
    assert newest["updated_at"] > oldest["updated_at"]
    older = await ann.get(f"/threads?before={newest['updated_at']}")  # as the socket's `sync` has it
    assert [thread["thread_id"] for thread in older["threads"]] == [oldest["thread_id"]]


async def test_threads__bad_cursors_and_limits(ann):
    moment = "T00:00:00.000000"
    for before in ("x", "1", f"2026-13-01{moment}Z", f"0000-00-00{moment}Z", f"2026-01-01{moment}", ""):
        assert problem(await ann.send("GET", f"/threads?before={before}"), 422, "invalid_action")["field"] == "before"
    for limit in ("0", "201", "-1", "x", "1e1"):
        assert problem(await ann.send("GET", f"/threads?limit={limit}"), 422, "invalid_action")["field"] == "limit"


async def test_thread__as_synced_tells_it(ann, join):
    run = await ann.run(input={"message": "How high is Etna?"})
    client = await join("ann")
    [synced] = (await client.ask("sync"))["threads"]
    thread = await ann.get(f"/threads/{run['thread_id']}")
    assert synced.items() <= thread.items()
    assert (thread["title"], thread["first_seq"], thread["active_run_id"]) == ("How high is Etna?", 1, None)


async def test_rename__keeps_everything_else(ann):
    run = await ann.run()
    path = f"/threads/{run['thread_id']}"
    before = await ann.get(path)
    answer = await ann.send("PATCH", path, {"title": "Übersicht"})
    assert answer.status_code == 200
    assert await ann.get(path) == {**before, "title": "Übersicht"}
    for title in ("", "x" * 201, 3, None, "a\x00b"):
        assert problem(await ann.send("PATCH", path, {"title": title}), 422, "invalid_action")["field"] == "title"
    problem(await ann.send("PATCH", path, {}), 422, "invalid_action")


async def test_delete__takes_everything_and_counts_on(ann):
    run = await ann.run()
    path = f"/threads/{run['thread_id']}"
    last = (await ann.get(path))["last_seq"]
    assert (await ann.send("DELETE", path)).status_code == 204
    for gone in (path, f"/runs/{run['run_id']}", f"{path}/runs"):
        problem(await ann.send("GET", gone), 404, "not_found")
    problem(await ann.send("DELETE", path), 404, "not_found")
    problem(await ann.send("PATCH", path, {"title": "x"}), 404, "not_found")
    assert (await ann.get("/threads"))["threads"] == []
    assert not await Event.objects.aexists()
    again = await ann.run(thread_id=run["thread_id"])
    assert again["status"] == "completed"
    thread = await ann.get(path)
    assert (thread["first_seq"], thread["active_run_id"]) == (last + 1, None)
    events = (await ann.get(f"{path}/events?after={last}"))["events"]
    assert [events[0]["seq"], events[0]["event_type"]] == [last + 1, "agent_started"]


async def test_delete__refused_while_a_run_is_not_over(ann, make):
    async def wait(ctx, input):
        await asyncio.Event().wait()

    make(wait)
    started = await ann.post("/runs", {"agent_type": "made"}, 201)
    refused = problem(await ann.send("DELETE", f"/threads/{started['thread_id']}"), 409, "thread_busy")
    assert refused["active_run_id"] == started["run_id"]
    await ann.post(f"/runs/{started['run_id']}/stop", status=202)
    await ann.until(started["run_id"], "cancelled")
    assert (await ann.send("DELETE", f"/threads/{started['thread_id']}")).status_code == 204


async def test_times__are_utc_with_six_digits(ann):
    run = await ann.run()
    thread = await ann.get(f"/threads/{run['thread_id']}")
    for text in (thread["updated_at"], run["created_at"], run["started_at"], run["finished_at"]):
        assert datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC) <= timezone.now()
        assert len(text) == 27

"""The event stream of a thread: the same bytes as the page and the socket, from any cursor on, live, and never ended
cleanly.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from integration.netra.api.api_caller import Caller
from integration.netra.streams.stream_caller import PATIENCE, Stream, bearer
from netra.streams import server_exit
from test_framework.gateway import settle
from test_framework.ssot.factories import GITHUB, GOOGLE
from websocket_core.connections.disconnect import request_disconnect
from websocket_core.database import db
from websocket_core.gateway import get_gateway
from websocket_core.models import Connection
from websocket_core.process.lifecycle import lifecycle

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("join")]


async def page_of(caller: Caller, thread_id: str) -> list[str]:
    """The frames of a thread as the page has them, byte for byte."""
    text = (await caller.send("GET", f"/threads/{thread_id}/events")).content.decode()
    events = json.loads(text)["events"]
    found = [json.dumps(event, separators=(",", ":"), ensure_ascii=False) for event in events]
    assert all(each in text for each in found)
    return found


@pytest.fixture
async def caller() -> Caller:
    return await Caller.of(GOOGLE)


async def opened(path: str, user_id: str = GOOGLE, *headers: tuple[str, str]) -> Stream:
    return Stream(path, headers=[*await bearer(user_id), *headers])


async def test_headers_and_first_comment__come_at_once(caller: Caller) -> None:
    async with await opened("/threads/t/events", GOOGLE, ("accept-encoding", "gzip")) as stream:
        await stream.until(lambda: stream.body)
        assert stream.status == 200
        assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.headers["cache-control"] == "no-store"
        assert stream.headers["x-accel-buffering"] == "no"
        assert not {"content-encoding", "content-length"} & set(stream.headers)
        assert stream.body == b": netra\n\n"


async def test_every_cursor__prefix_and_rest_are_the_page(caller: Caller) -> None:
    await caller.run(thread_id="t")
    whole = await page_of(caller, "t")
    for cursor in range(len(whole)):
        async with await opened(f"/threads/t/events?after={cursor}") as stream:
            assert await stream.until_seq(len(whole)) == whole[cursor:]
            assert [seq for seq, _ in stream.events] == list(range(cursor + 1, len(whole) + 1))
            assert b"\r" not in stream.body
        async with await opened("/threads/t/events?after=0", GOOGLE, ("last-event-id", str(cursor))) as stream:
            assert await stream.until_seq(len(whole)) == whole[cursor:]


async def test_live__through_later_runs_and_nothing_of_other_threads(caller: Caller) -> None:
    async with await opened("/threads/t/events") as stream:  # the thread does not exist yet
        for _ in range(2):
            await caller.run(thread_id="other")
            await caller.run(thread_id="t")
        whole = await page_of(caller, "t")
        assert await stream.until_seq(len(whole)) == whole
        assert not stream.is_complete
        (connection,) = get_gateway().hub.connections()
        assert connection.delivery is not None
        assert connection.delivery.watching == [(GOOGLE, "t")]  # others cost it nothing


async def test_cursors__are_refused_as_the_page_does(caller: Caller) -> None:
    run = await caller.run(thread_id="t")
    last = len(await page_of(caller, run["thread_id"]))
    async with await opened(f"/threads/t/events?after={last + 1}") as stream:
        assert stream.problem(422, "invalid_cursor")["last_seq"] == last
    async with await opened("/threads/made-up/events?after=1") as stream:
        assert stream.problem(422, "invalid_cursor")["last_seq"] == 0
    async with await opened("/threads/t/events?epoch=another") as stream:
        assert stream.problem(410, "cursor_expired")["first_seq"] == 1
    for path, field in (  # each with the field that is wrong
        *((f"/threads/t/events?after={bad}", "after") for bad in ("-1", "1.0", "true", "", "9" * 20, "²")),
        ("/threads/a b/events", "thread_id"),
    ):
        async with await opened(path) as stream:
            assert stream.problem(422, "invalid_action")["field"] == field
    async with await opened("/threads/t/events", GOOGLE, ("last-event-id", "x")) as stream:
        assert stream.problem(422, "invalid_action")["field"] == "Last-Event-ID"


async def test_page__stays_as_it_is(caller: Caller) -> None:
    await caller.run(thread_id="t")
    for accept in ("*/*", "application/json", "text/*", "text/event-stream;q=0"):
        async with await opened("/threads/t/events", GOOGLE, ("accept", accept)) as answer:
            await answer.until(lambda: answer.is_complete)
            assert answer.headers["content-type"] == "application/json"
            assert json.loads(answer.body)["last_seq"]


async def test_silence__is_broken_by_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netra.streams.transport.SILENCE_SECONDS", 0.02)
    async with await opened("/threads/t/events") as stream:
        await stream.until(lambda: stream.body.count(b": netra\n\n") > 3)


async def test_places__count_with_the_sockets(join: Any, settings: Any) -> None:
    settings.NETRA_MAX_CONNECTIONS_PER_USER = 2
    await join(GOOGLE)
    async with await opened("/threads/t/events") as second:
        assert second.status == 200
        async with await opened("/threads/t/events") as third:
            third.problem(429, "too_many_connections")
            assert third.headers["retry-after"] == "5"
        async with await opened("/threads/t/events", GITHUB) as foreign:
            assert foreign.status == 200
    async with await opened("/threads/t/events") as again:
        assert again.status == 200


async def test_row__is_that_of_a_connection(caller: Caller) -> None:
    async with await opened("/threads/t/events", GOOGLE, ("user-agent", "curl/8")):
        await get_gateway().hub.log.flush()
        row = await Connection.objects.aget(user_id=GOOGLE)
        assert (row.thread_id, row.client, row.credential, row.disconnected_at) == ("t", "curl/8", "token", None)
    await get_gateway().hub.log.flush()
    await row.arefresh_from_db()
    assert row.disconnected_at


async def test_operator__resets_it() -> None:
    async with await opened("/threads/t/events") as stream:
        await get_gateway().hub.log.flush()
        row = await Connection.objects.aget(user_id=GOOGLE)
        assert await db.write(request_disconnect, [row.pk]) == 1
        await stream.end()
        assert stream.is_reset


async def test_drain__resets_streams_and_refuses_new_ones() -> None:
    async with await opened("/threads/t/events") as stream:
        await get_gateway().hub.drain()
        await stream.end()
        assert stream.is_reset
    lifecycle.begin_drain()
    try:
        async with await opened("/threads/t/events") as refused:
            refused.problem(503, "draining")
            assert refused.headers["retry-after"]
    finally:
        lifecycle.draining = False


async def test_server_that_waits_for_responses__resets_them_when_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_exit, "is_told", lambda: True)
    monkeypatch.setattr("netra.streams.stream.EXIT_SECONDS", 0.01)
    near = False
    monkeypatch.setattr(server_exit, "is_near", lambda: near)
    async with await opened("/threads/t/events") as stream:
        assert not stream.is_reset
        near = True
        await stream.end()
        assert stream.is_reset


async def test_deaf_client__is_reset_and_costs_little(caller: Caller, settings: Any) -> None:
    settings.NETRA_STALL_SECONDS = 0.2
    await caller.run(thread_id="t")
    async with await opened("/threads/t/events?after=0") as deaf, await opened("/threads/t/events") as other:
        deaf.may_send.clear()
        await caller.run(thread_id="t")
        whole = await page_of(caller, "t")
        assert await other.until_seq(len(whole)) == whole
        await deaf.end()
        assert deaf.is_reset
    await get_gateway().hub.log.flush()
    assert await Connection.objects.filter(close_code=4408).acount() == 1


async def test_gone_client__disturbs_no_run(caller: Caller) -> None:
    started = await caller.post("/runs", {"agent_type": "test", "thread_id": "t"}, 201)
    async with await opened("/threads/t/events") as stream:
        await stream.until_seq(1)
    await caller.until(started["run_id"], "completed")
    async with asyncio.timeout(PATIENCE):
        await settle()
    assert not list(get_gateway().hub.connections())


async def test_pruned_on_the_way__is_a_reset_and_then_410(caller: Caller) -> None:
    """A gap is never passed over: the client learns of it when it comes back."""
    await caller.run(thread_id="t")
    async with await opened("/threads/t/events") as stream:
        await stream.until_seq(1)
        connection = next(iter(get_gateway().hub.connections()))
        from websocket_core.errors import CursorExpired

        connection.refuse(CursorExpired(thread_id="t", first_seq=5))  # what a read tells that finds nothing
        await stream.end()
        assert stream.is_reset


async def test_database_away__is_503_before_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError

    header = await bearer(GOOGLE)

    async def away(*args: Any) -> Any:
        raise OperationalError("gone")

    monkeypatch.setattr("netra.thread_cursor.with_epoch", away)
    async with Stream("/threads/t/events", headers=header) as stream:
        stream.problem(503, "journal_unavailable")
        assert stream.headers["retry-after"]

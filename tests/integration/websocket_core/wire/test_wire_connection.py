"""The connection itself: who speaks first, what closes it and with which words, identity, framing, limits."""

import asyncio
import json
import time
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from netra.agents.service import RunRuntime
from test_framework.gateway import issue_token, settle
from test_framework.ssot.factories import GITHUB, GOOGLE, create_test_manager
from websocket_core.connections import BareTransport, WebSocketConnection
from websocket_core.database import db
from websocket_core.errors import UserIsolationError
from websocket_core.gateway import get_gateway
from websocket_core.ids import UserID
from websocket_core.limits import action_limiter
from websocket_core.models import Connection
from websocket_core.protocols.run_service import StartOutcome
from websocket_core.testing.sockets import Client, InProcessSocket, RecordingWebSocket, SocketClosed

pytestmark = pytest.mark.django_db(transaction=True)


async def last_words(client: Client) -> dict[str, Any]:
    """The close code, and the `error` frame before it."""
    code = await client.closed()
    return {**client.frames[-1], "closed": code}


# Who speaks first


async def test_server_never_speaks_first__for_two_seconds(join):
    manager = create_test_manager(thread_id="t")
    began = time.monotonic()
    client = await join()
    await manager.emit_critical_event(GOOGLE, "agent_started", {})
    for number in range(2):
        await manager.emit_critical_event(GOOGLE, "agent_state", {"state": number})
    await settle()
    assert (await client.until("agent_started"))["seq"] == 1
    assert time.monotonic() - began >= 1.9
    assert [(await client.receive_json())["seq"] for _ in range(2)] == [2, 3]


async def test_first_action__ends_the_silence_and_nothing_since_the_handshake_is_lost(join):
    manager = create_test_manager(thread_id="t")
    await manager.emit_critical_event(GOOGLE, "agent_state", {"state": "before"})
    client = await join()
    await manager.emit_critical_event(GOOGLE, "agent_state", {"state": "since"})
    await settle()
    await client.send("ping", payload=1)
    assert (await client.receive_json())["event_type"] == "pong"
    assert (await client.receive_json())["data"] == {"state": "since"}


async def test_first_action_is_resume__its_thread_starts_at_the_cursor(join):
    manager = create_test_manager(thread_id="t")
    for number in range(3):
        await manager.emit_critical_event(GOOGLE, "agent_state", {"state": number})
    client = await join()
    await manager.emit_critical_event(GOOGLE, "agent_state", {"state": 3})
    await client.send("resume", cursors={"t": 1})
    frames = [await client.receive_json() for _ in range(5)]
    assert [frame["event_type"] for frame in frames] == ["replaying", *["agent_state"] * 3, "resumed"]


async def test_first_action_is_start_agent__is_answered_before_what_other_runs_have_to_say(join):
    manager = create_test_manager(thread_id="busy")
    client = await join()
    await manager.emit_critical_event(GOOGLE, "agent_started", {})
    await settle()
    await client.send("start_agent", agent_type="test", thread_id="mine")
    answer = await client.receive_json()
    assert (answer["event_type"], answer["thread_id"]) == ("agent_started", "mine")
    assert (await client.until("agent_started"))["thread_id"] == "busy"


async def test_first_action_is_start_agent__whose_run_does_not_begin__holds_nothing_up(join, monkeypatch):
    """As with a worker that has no time: the others' events come all the same."""

    async def start(self, request):
        return StartOutcome("mine", "slow", existing=False, first_seq=None)

    monkeypatch.setattr(RunRuntime, "start", start)
    manager = create_test_manager(thread_id="busy")
    client = await join()
    await manager.emit_critical_event(GOOGLE, "agent_started", {})
    await client.send("start_agent", agent_type="test", thread_id="mine")
    assert (await client.ask("ping"))["event_type"] == "pong"
    assert (await client.until("agent_started"))["thread_id"] == "busy"


async def test_session_that_ends_soon__says_so_right_after_the_first_answer(join):
    client = await join(token=await issue_token(GOOGLE, timedelta(seconds=30)))
    await client.send("ping")
    assert (await client.receive_json())["event_type"] == "pong"
    assert (await client.receive_json(0.5))["event_type"] == "session_expiring"


async def test_session_that_ends_soon__lets_agent_started_go_first(join, make):
    async def body(ctx, input):
        await asyncio.sleep(1.5)

    make(body)
    client = await join(token=await issue_token(GOOGLE, timedelta(seconds=30)))
    await client.send("start_agent", agent_type="made")
    assert [(await client.receive_json())["event_type"] for _ in range(2)] == ["agent_started", "session_expiring"]


# Small answers


async def test_ping(join):
    client = await join()
    for payload in (None, 0, "ä", [1, {"a": None}], 2**100):
        await client.send_json({"action": "ping", "payload": payload, "request_id": "q"})
        assert await client.receive_json() == {"event_type": "pong", "payload": payload, "request_id": "q"}


async def test_ping__too_deep__is_an_error_of_the_client(join):
    client = await join()
    await client.send_text('{"action":"ping","request_id":"q","payload":' + "[" * 900 + "]" * 900 + "}")
    answer = await client.receive_json()
    assert answer.get("code") in ("invalid_action", "invalid_json") or answer["event_type"] == "pong"
    assert (await client.ask("ping"))["event_type"] == "pong"


async def test_bad_frames__are_answered_and_cost_nothing_else(join):
    client = await join()
    run = await client.start("test")
    for text, code in [
        ("{", "invalid_json"),
        ("[]", "invalid_action"),
        ('{"action":"fly"}', "unknown_action"),
        ('{"action":"start_agent","agent_type":"test","input":"\\u0000"}', "invalid_action"),
    ]:
        await client.send_text(text)
        await client.receive_until(lambda frame, code=code: frame.get("code") == code)
    assert (await client.finish(run))[-1]["event_type"] == "agent_completed"


async def test_what_we_caused__is_internal_with_an_incident_in_the_log(join, monkeypatch, caplog):
    client = await join()

    def broken(*args):
        raise ZeroDivisionError("password=hunter2")

    monkeypatch.setattr("websocket_core.journal.reading.threads_of", broken)
    answer = await client.ask("sync")
    assert answer["code"] == "internal"
    assert "hunter2" not in json.dumps(answer)
    assert answer["incident"] in caplog.text
    assert (await client.ask("ping"))["event_type"] == "pong"


async def test_database_away__journal_unavailable(join, faults):
    client = await join()
    await client.ask("ping")
    faults.away = True
    assert (await client.ask("sync"))["code"] == "journal_unavailable"
    faults.away = False
    assert (await client.ask("sync"))["threads"] == []


# What closes it


async def test_binary_frame(join):
    client = await join()
    await client.socket.send_bytes(b"{}")
    words = await last_words(client)
    assert (words["closed"], words["code"]) == (4400, "binary_frame")


@pytest.mark.parametrize("letter", ["x", "ä", "😀"])
async def test_frame_too_large__counted_in_bytes(join, letter):
    client = await join()
    frame = '{"action":"ping","payload":"%s"}'
    room = 64 * 1024 - len(frame) + 2
    fits = letter * (room // len(letter.encode()))
    await client.send_text(frame % fits)
    assert (await client.until("pong"))["payload"] == fits
    await client.send_text(frame % (fits + letter * 4))
    words = await last_words(client)
    assert (words["closed"], words["code"]) == (4413, "frame_too_large")


async def test_too_many_connections__newer_is_who_was_written_later_whatever_its_id():
    """Ids of one millisecond, or of two machines' clocks, say nothing about who came first."""
    manager = create_test_manager()
    connections = [
        WebSocketConnection(UserID(GOOGLE), BareTransport(RecordingWebSocket()), connection_id=name) for name in "zab"
    ]
    for connection in connections:
        await manager.add_connection(connection)
    assert [connection.earlier for connection in connections] == [0, 1, 2]
    for connection in connections:
        await manager.remove_connection(connection.connection_id)


async def test_too_many_connections__of_many_at_once_exactly_the_rest_is_refused(join, settings):
    settings.NETRA_MAX_CONNECTIONS_PER_USER = 3
    token = await issue_token(GOOGLE)
    clients = await asyncio.gather(*[join(token=token) for _ in range(8)])

    async def serves(client: Client) -> bool:
        try:
            return bool((await client.ask("ping"))["event_type"] == "pong")
        except SocketClosed:
            return False

    assert sum(await asyncio.gather(*map(serves, clients))) == 3


async def test_too_many_connections__the_newest_is_refused(join, settings):
    settings.NETRA_MAX_CONNECTIONS_PER_USER = 3
    clients = [await join() for _ in range(3)]
    refused = await join()
    words = await last_words(refused)
    assert (words["closed"], words["code"]) == (4409, "too_many_connections")
    await refused.close()
    assert words["retry_after_ms"] > 0
    for client in clients:
        assert (await client.ask("ping"))["event_type"] == "pong"
    await (await join(GITHUB)).ask("ping")
    await clients[0].close()
    await get_gateway().hub.log.flush()
    assert (await (await join()).ask("ping"))["event_type"] == "pong"


@pytest.fixture
def clock(monkeypatch):
    """The limiter's clock, which stands still."""

    class Clock:
        now = 1000.0

    monkeypatch.setattr(action_limiter, "_clock", lambda: Clock.now)
    return Clock


async def test_rate_limited__over_all_sockets_of_the_user(join, settings, clock):
    settings.NETRA_ACTIONS_PER_SECOND, settings.NETRA_ACTIONS_BURST = 10.0, 5
    one, other, stranger = await join(), await join(), await join(GITHUB)
    for client in (one, other, one, other, one):
        assert (await client.ask("ping"))["event_type"] == "pong"
    answer = await other.ask("ping")
    assert (answer["code"], answer["retry_after_ms"]) == ("rate_limited", 100)
    assert (await stranger.ask("ping"))["event_type"] == "pong"
    clock.now += 0.1
    assert (await one.ask("ping"))["event_type"] == "pong"


async def test_flooding__who_does_not_listen_is_closed(join, settings, clock):
    """Also who is slow enough for an action to be let through now and then."""
    settings.NETRA_ACTIONS_PER_SECOND, settings.NETRA_ACTIONS_BURST = 50.0, 10
    client = await join()
    for _ in range(400):
        await client.send("ping")
        await asyncio.sleep(0)
        clock.now += 0.002
    words = await last_words(client)
    assert (words["closed"], words["code"]) == (4429, "flooding")
    ignored = [frame for frame in client.frames if frame.get("code") == "rate_limited"]
    assert len(ignored) == 100


async def test_who_waits_as_told__is_never_flooding(join, settings, clock):
    settings.NETRA_ACTIONS_PER_SECOND, settings.NETRA_ACTIONS_BURST = 10.0, 1
    client = await join()
    for _ in range(150):
        answer = await client.ask("ping")
        if answer["event_type"] == "error":
            clock.now += answer["retry_after_ms"] / 1000
            await asyncio.sleep(0)
    assert (await client.ask("ping"))["event_type"] in ("pong", "error")


# Identity


@pytest.mark.parametrize("token", ["netra_" + "x" * 43, "nonsense", "a.b.c"])
async def test_bad_token__4401(join, token):
    words = await last_words(await join(token=token))
    assert (words["closed"], words["code"]) == (4401, "unauthenticated")


async def test_no_credentials__4401():
    from netra.project.asgi import application

    socket = await InProcessSocket.open(application, headers=[(b"host", b"localhost")])
    assert json.loads(await socket.recv())["code"] == "unauthenticated"
    with pytest.raises(SocketClosed) as closed:
        await socket.recv()
    assert closed.value.code == 4401
    await socket.close()


async def test_authenticate__same_user(join):
    client = await join(token=await issue_token(GOOGLE, timedelta(minutes=5)))
    answer = await client.ask("authenticate", token=await issue_token(GOOGLE, timedelta(hours=1)))
    assert answer["event_type"] == "authenticated"
    assert answer["expires_at"].endswith("Z")


async def test_authenticate__garbage_changes_nothing(join):
    client = await join()
    assert (await client.ask("authenticate", token="garbage"))["code"] == "unauthenticated"
    assert (await client.ask("ping"))["event_type"] == "pong"


async def test_authenticate__another_user_closes(join):
    client = await join()
    await client.send("authenticate", token=await issue_token(GITHUB))
    words = await last_words(client)
    assert (words["closed"], words["code"]) == (4401, "unauthenticated")


async def test_token_that_expires__is_announced_and_ends_the_connection(join):
    client = await join(token=await issue_token(GOOGLE, timedelta(seconds=3)))
    await client.ask("ping")
    assert (await client.until("session_expiring"))["expires_at"].endswith("Z")
    words = await last_words(client)
    assert (words["closed"], words["code"]) == (4401, "token_expired")


async def test_user_b_with_all_of_a_s_ids(join, make):
    """The same answers as for ids that nobody has."""

    async def body(ctx, input):
        await ctx.approve("secret of A")

    make(body)
    a, b = await join(GOOGLE), await join(GITHUB)
    run = await a.start("made", thread_id="t", run_id="r1")
    approval = (await a.until("approval_requested"))["data"]["approval_id"]

    def shape(answer):
        return {name: value for name, value in answer.items() if name not in ("request_id", "run_id", "thread_id")}

    pairs: list[tuple[tuple[str, Any], tuple[str, Any]]] = [
        (("stop_agent", {"run_id": "r1"}), ("stop_agent", {"run_id": "no"})),
        (
            ("respond", {"run_id": "r1", "approval_id": approval, "approved": True}),
            ("respond", {"run_id": "no", "approval_id": "no", "approved": True}),
        ),
        (("resume", {"cursors": {"t": 2}}), ("resume", {"cursors": {"no": 2}})),
        (("resume", {"cursors": {"t": 0}}), ("resume", {"cursors": {"no": 0}})),
        (("ack", {"cursors": {"t": 1}}), ("ack", {"cursors": {"no": 1}})),
        (("watch", {"threads": ["t"]}), ("watch", {"threads": ["t"]})),
    ]
    for (action, guessed), (_, made_up) in pairs:
        assert shape(await b.ask(action, **guessed)) == shape(await b.ask(action, **made_up))
    assert (await b.ask("sync"))["threads"] == []
    mine = await b.finish(await b.start("test", thread_id="t", run_id="r1"))
    assert mine[0]["seq"] == 1
    assert "secret of A" not in json.dumps(b.frames)
    await a.send("respond", run_id="r1", approval_id=approval, approved=True)
    assert (await a.finish(run))[-1]["event_type"] == "agent_completed"
    connection = next(one for one in get_gateway().hub.connections() if one.user_id == GOOGLE)
    with pytest.raises(UserIsolationError):
        await create_test_manager(GITHUB).add_connection(connection)


# Framing


async def test_batch__frames_are_arrays_of_the_exact_texts(join):
    manager = create_test_manager(thread_id="t")
    await manager.emit_critical_event(GOOGLE, "agent_started", {})
    for number in range(20):
        await manager.emit_critical_event(GOOGLE, "agent_state", {"state": number})
    client = await join(subprotocols=["netra.v1", "netra.v1.batch"])
    assert client.socket.subprotocol == "netra.v1.batch"
    received: list[str] = []
    recv = client.socket.recv

    async def recorded():
        received.append(await recv())
        return received[-1]

    client.socket.recv = recorded
    await client.send("resume", cursors={"t": 0})
    await client.until("resumed")
    arrays = [text for text in received if text.startswith("[")]
    assert arrays
    inside = [bytes(raw).decode() for text in arrays for raw in msgspec.json.decode(text, type=list[msgspec.Raw])]
    assert set(client.oracle.threads["t"].texts.values()) <= set(inside) | set(received)


@pytest.mark.parametrize(("offered", "chosen"), [([], None), (["netra.v1"], "netra.v1"), (["other"], None)])
async def test_without_batch__one_frame_each(join, offered, chosen):
    client = await join(subprotocols=offered)
    assert client.socket.subprotocol == chosen
    await client.send("ping")
    assert (await client.socket.recv()).startswith('{"event_type":"pong"')


# Rows


async def test_row__is_there_while_the_socket_is_open(join):
    client = await join()
    run = await client.start("test", thread_id="t")
    await get_gateway().hub.log.flush()
    row = await db.read(Connection.objects.get)
    assert (row.user_id, row.thread_id, row.credential, row.disconnected_at) == (GOOGLE, "t", "token", None)
    await client.finish(run)
    await client.close()
    await get_gateway().hub.log.flush()
    assert (await db.read(Connection.objects.get)).disconnected_at is not None


async def test_row__of_a_connection_that_did_not_come_about__does_not_count(monkeypatch):
    """Else it would take one of its user's places for as long as the process lives."""

    def away(*args):
        raise ZeroDivisionError

    monkeypatch.setattr("websocket_core.journal.reading.welcome", away)
    manager = create_test_manager()
    connection = WebSocketConnection(manager.user_context.user_id, BareTransport(RecordingWebSocket()))
    with pytest.raises(ZeroDivisionError):
        await manager.add_connection(connection)
    await get_gateway().hub.log.flush()
    assert (await db.read(Connection.objects.get)).disconnected_at is not None
    assert len(get_gateway().hub) == 0


async def test_health__can_be_written_as_json(join):
    manager = create_test_manager()
    await manager.add_connection(RecordingWebSocket())
    health = manager.get_connection_health(GOOGLE)
    assert health["active"] is True
    assert json.loads(json.dumps(health))["since"].endswith("Z")

"""A client of another dialect on a real connection: live, from the journal, after every cut, and when a fold fails."""

from collections.abc import Sequence
from typing import Any

import pytest

from test_framework.gateway import settle
from test_framework.ssot.factories import GOOGLE, create_test_manager
from unit.websocket_core.wire.dialect_examples import Shouted, cursor_of
from websocket_core.connections import BareTransport, Resume, WebSocketConnection, resume_threads
from websocket_core.connections.transports import TranslatedTransport
from websocket_core.errors import ConnectionClosedError, NotFound
from websocket_core.ids import UserID
from websocket_core.testing.sockets import RecordingWebSocket
from websocket_core.unified_manager import UnifiedWebSocketManager
from websocket_core.wire import close_codes, frames
from websocket_core.wire.dialect import FrameId

pytestmark = pytest.mark.django_db(transaction=True)

RUN: list[tuple[str, dict[str, Any]]] = [
    ("agent_started", {}),
    ("agent_message", {"message_id": "m", "delta": "a"}),
    ("agent_state", {"state": 1}),
    ("agent_message", {"message_id": "m", "delta": "b"}),
    ("agent_message", {"message_id": "n", "delta": "c"}),
    ("agent_completed", {"result": None}),
]


async def come_in(
    manager: UnifiedWebSocketManager, seen: FrameId | None = None
) -> tuple[WebSocketConnection, RecordingWebSocket]:
    """A client of the example's dialect, standing at the beginning of thread `t`, the run's."""
    websocket = RecordingWebSocket()
    dialect = Shouted({"t": seen} if seen else None)
    connection = WebSocketConnection(UserID(GOOGLE), BareTransport(websocket), dialect=dialect)
    await manager.add_connection(connection)
    await resume_threads(connection, Resume({"t": 0}), None)
    connection.release()
    await settle()
    return connection, websocket


async def test_live_and_after_every_cut__the_same_frames() -> None:
    manager = create_test_manager(thread_id="t")
    _, live = await come_in(manager)
    for event_type, data in RUN:
        await manager.emit_critical_event(GOOGLE, event_type, data)
        await settle()
    whole = live.texts
    assert [text.split(maxsplit=2)[2] for text in whole] == [
        *("AGENT_STARTED", "TEXT_START m", "TEXT a", "TEXT_END m", "AGENT_STATE"),
        *("TEXT_START m", "TEXT b", "TEXT_END m", "TEXT_START n", "TEXT c", "TEXT_END n"),
        *("STEP_FINISHED", "AGENT_COMPLETED"),
    ]
    for cut in range(len(whole) + 1):
        _, resumed = await come_in(manager, cursor_of(whole[cut - 1]) if cut else None)
        assert whole[:cut] + resumed.texts == whole


async def test_answers_and_the_end__in_its_words() -> None:
    connection, websocket = await come_in(create_test_manager(thread_id="t"))
    connection.refuse(NotFound())
    connection.tell("pong", payload=1)
    await settle()
    assert websocket.texts == ["ERROR not_found"]
    await connection.close(close_codes.OPERATOR)
    assert (websocket.texts[1:], websocket.close_code) == (["ERROR draining"], 1012)


async def test_connection_inside_of_a_run__is_closed_before_it_says_something_wrong(
    caplog: pytest.LogCaptureFixture,
) -> None:
    manager = create_test_manager(thread_id="t")
    for event_type, data in RUN[:2]:
        await manager.emit_critical_event(GOOGLE, event_type, data)
    websocket = RecordingWebSocket()
    connection = WebSocketConnection(UserID(GOOGLE), BareTransport(websocket), dialect=Shouted(), held=False)
    await manager.add_connection(connection)  # at the thread's head, which is no beginning
    for event_type, data in RUN[2:]:
        await manager.emit_critical_event(GOOGLE, event_type, data)
        await settle()
    assert (websocket.texts, websocket.close_code, connection.closed) == ([], 1011, True)
    assert "cannot be translated" in caplog.text


class Server:
    """A server that can take frames at once, or only when it has been waited for."""

    def __init__(self, *rooms: bool | None) -> None:
        self.rooms, self.sent, self.close_code = list(rooms), [], 0  # type: tuple[list[bool | None], list[str], int]

    def write(self, texts: Sequence[str]) -> bool | None:
        room = self.rooms.pop(0)
        self.sent += () if room is None else texts
        return room

    async def send(self, texts: Sequence[str]) -> None:
        self.sent += texts

    async def close(self, code: int) -> None:
        self.close_code = code


def refusals(*codes: str) -> list[str]:
    return [frames.error(code, "x") for code in codes]


async def test_transport__says_everything_once__whether_the_server_has_room_or_not() -> None:
    server = Server(True, False, None)
    transport = TranslatedTransport(server, Shouted().translation())
    assert transport.write(refusals("a")) is True
    assert transport.write(refusals("b")) is False
    await transport.send(())
    left = refusals("c")
    assert transport.write(left) is None
    await transport.send(left)
    assert server.sent == ["ERROR a", "ERROR b", "ERROR c"]
    assert transport.write([frames.control("pong")]) is True  # nothing to say, nothing to wait for


async def test_transport__last_words_take_the_place_of_what_could_not_be_sent() -> None:
    server = Server(None)
    transport = TranslatedTransport(server, Shouted().translation())
    assert transport.write(refusals("left")) is None
    await transport.send(refusals("last"))
    assert server.sent == ["ERROR last"]


async def test_transport__after_a_fold_has_failed__nothing_more_is_said() -> None:
    server = Server()
    transport = TranslatedTransport(server, Shouted().translation())
    broken = ['{"event_type":"error"}']  # without a code
    assert transport.write(broken) is None
    for texts in (broken, refusals("later")):
        with pytest.raises(ConnectionClosedError):
            await transport.send(texts)
    assert (server.sent, server.close_code) == ([], 1011)

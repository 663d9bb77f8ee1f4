"""The stages of a socket: who may speak, and that the first reason to close is the one that counts."""

import asyncio
import json

import pytest

from websocket_core.connections import BareTransport, WebSocketConnection
from websocket_core.consumer.conversation import Conversation, Stage
from websocket_core.consumer.patience import Patience
from websocket_core.ids import UserID
from websocket_core.testing.sockets import RecordingWebSocket
from websocket_core.wire import close_codes


def stage_of(conversation: Conversation) -> Stage:
    return conversation.stage  # it changes between two looks


def socket() -> tuple[Conversation, WebSocketConnection, RecordingWebSocket]:
    websocket = RecordingWebSocket()
    connection = WebSocketConnection(UserID("u"), BareTransport(websocket))
    connection.begin({}, complete=True, oldest=None)
    connection.tell("pong", payload=1)  # waits for the silence to be over
    return Conversation(connection), connection, websocket


async def test_first_action__breaks_the_silence():
    conversation, connection, websocket = socket()
    conversation.speak()
    assert stage_of(conversation) is Stage.HANDSHAKE
    conversation.accepted()
    await connection.drained()
    assert (stage_of(conversation), websocket.texts) == (Stage.SILENT, [])
    conversation.heard()
    assert stage_of(conversation) is Stage.SILENT  # until the action is carried out
    conversation.speak()
    await connection.drained()
    assert (stage_of(conversation), websocket.event_types) == (Stage.SPEAKING, ["pong"])


async def test_silence__ends_by_itself__unless_an_action_is_being_carried_out(settings):
    settings.NETRA_FIRST_ACTION_SECONDS = 0.01
    (silent, connection, websocket), (busy, *_) = socket(), socket()
    for conversation in (busy, silent):
        conversation.accepted()
    busy.heard()
    assert (await websocket.wait_for("pong"))["payload"] == 1
    await connection.drained()
    assert (silent.stage, busy.stage) == (Stage.SPEAKING, Stage.SILENT)


@pytest.mark.parametrize("stage", [Stage.HANDSHAKE, Stage.SILENT, Stage.SPEAKING])
async def test_close__the_first_reason_counts__and_nothing_is_said_after_it(stage: Stage):
    conversation, connection, websocket = socket()
    if stage is not Stage.HANDSHAKE:
        conversation.accepted()
    if stage is Stage.SPEAKING:
        conversation.speak()
    assert conversation.stage is stage
    await connection.drained()
    said = len(websocket.texts)
    conversation.close(close_codes.FOREIGN_TOKEN, request_id="q")
    conversation.close(close_codes.FLOODING)
    conversation.accepted()
    conversation.speak()
    await conversation.closed()
    (last,) = map(json.loads, websocket.texts[said:])
    assert (last["code"], last["request_id"], websocket.close_code) == ("unauthenticated", "q", 4401)
    assert (conversation.stage, connection.closed) == (Stage.CLOSING, True)


async def test_end__leaves_no_timer_behind(settings):
    settings.NETRA_FIRST_ACTION_SECONDS = 0.01
    (ended, _, told), (other, _, control) = socket(), socket()
    for conversation in (ended, other):
        conversation.accepted()
    ended.end()
    await ended.closed()
    await control.wait_for("pong")  # the other's timer has run, which was set later
    await asyncio.sleep(0)
    assert told.texts == []


def test_patience__who_waits_once_is_forgiven__who_goes_on_is_not(settings):
    settings.NETRA_FLOODING_AFTER = 3
    patience = Patience()
    for _ in range(10):  # refused, then waited
        assert not patience.refuse()
        patience.let_through()
    assert [patience.refuse() for _ in range(3)] == [False] * 3
    patience.let_through()  # by chance: the three before it were in a row
    assert patience.refuse()

"""A client that leaves or is refused during the handshake causes no error in the application."""

import asyncio
from typing import Any

import pytest
from channels.layers import get_channel_layer

from netra.project.asgi import application
from test_framework.gateway import issue_token, settle
from test_framework.ssot.factories import GOOGLE
from websocket_core.connections import BareTransport, WebSocketConnection
from websocket_core.gateway import get_gateway
from websocket_core.ids import UserID
from websocket_core.models import Connection
from websocket_core.testing.sockets import RecordingWebSocket

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("credential", ["none", "wrong", "good"])
async def test_server_takes_no_answer_any_more(credential: str, caplog: pytest.LogCaptureFixture) -> None:
    token = await issue_token("auth0_user_abc123def456") if credential == "good" else credential
    headers = [] if credential == "none" else [(b"authorization", b"Bearer " + token.encode())]
    scope = {"type": "websocket", "path": "/ws", "headers": [(b"host", b"localhost"), *headers], "query_string": b""}

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        raise RuntimeError("Attempt to send on a closed protocol")  # as Daphne with Autobahn does

    with caplog.at_level("INFO"):
        await application(scope, receive, send)
    assert [record for record in caplog.records if record.exc_info] == []
    assert "disconnected during the handshake" in caplog.text
    await settle()
    assert len(get_gateway().hub) == 0
    assert not await Connection.objects.filter(disconnected_at=None).aexists()


async def test_connection_that_leaves_while_it_still_joins__leaves_nobody_in_the_group(monkeypatch) -> None:
    """Its group is being left for another one meanwhile: nothing would ever take this process out of it again."""
    hub, layer = get_gateway().hub, get_channel_layer()
    before, behind = (
        WebSocketConnection(UserID(GOOGLE), BareTransport(RecordingWebSocket()), connection_id=name) for name in "ab"
    )
    await hub.join(before)
    assert list(layer.groups) == [before.group]
    leaves, discarded = asyncio.Event(), asyncio.Event()
    discard = layer.group_discard

    async def slow_discard(group: str, channel: str) -> None:
        leaves.set()
        await discarded.wait()
        await discard(group, channel)

    monkeypatch.setattr(layer, "group_discard", slow_discard)
    leaving = asyncio.create_task(hub.leave(before))
    await leaves.wait()
    joining = asyncio.create_task(hub.join(behind))
    await settle()
    gone = asyncio.create_task(hub.leave(behind))
    await settle()
    discarded.set()
    await asyncio.gather(leaving, joining, gone)
    assert layer.groups == {}
    assert len(hub) == 0

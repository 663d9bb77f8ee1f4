"""A client that is gone, or that the server refuses, before the handshake is over: no error of the application."""

from typing import Any

import pytest

from netra.asgi import application
from test_framework.gateway import issue_token, settle
from websocket_core.hub import get_hub
from websocket_core.models import Connection

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
    assert "went away during the handshake" in caplog.text
    await settle()
    assert len(get_hub()) == 0
    assert not await Connection.objects.filter(disconnected_at=None).aexists()

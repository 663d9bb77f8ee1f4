"""The factory, identity and the wire in a deployed environment: several processes behind a load balancer."""

import asyncio
import json
from typing import Any

import pytest
import websockets

from e2e.websocket_core.conftest import Staging

# One group: whoever runs tests side by side starts staging once.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

EMIT = """
import asyncio
from websocket_core.context import UserExecutionContext
from websocket_core.websocket_manager import create_websocket_manager
async def main():
    manager = create_websocket_manager(UserExecutionContext({user!r}, "conversation_xyz789", {run!r}))
    print(type(manager).__name__, await manager.emit_critical_event({user!r}, "agent_started", {{}}))
    print(await manager.emit_critical_event({user!r}, "agent_completed", {{"result": 1, "duration_ms": 0}}))
    print(await manager.emit_critical_event({user!r}, "agent_thinking", {{"delta": "late", "stream": "s"}}))
    from websocket_core.gateway import get_gateway
    await get_gateway().journal.flush()
asyncio.run(main())
"""


async def receive(socket: Any, event_type: str, seconds: float = 20) -> dict[str, Any]:
    """The next frame of this type."""
    async with asyncio.timeout(seconds):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            if message["event_type"] == event_type:
                return message


def connect(staging: Staging, token: str | None = None, **options: Any) -> Any:
    headers = {"Authorization": f"Bearer {token or staging.token}"}
    return websockets.connect(staging.ws_url, additional_headers=headers, open_timeout=20, **options)


async def test_factory__in_a_process_of_its_own__its_events_reach_the_user(local_staging: Staging) -> None:
    """A manager made beside the servers journals, and the user's socket at a server gets it."""
    user = "105945141827451681156"
    token = await asyncio.to_thread(local_staging.token_of, user)
    async with connect(local_staging, token) as socket:
        await socket.send('{"action": "ping"}')
        await receive(socket, "pong")
        printed = await asyncio.to_thread(
            local_staging.manage, "shell", "--no-imports", "-c", EMIT.format(user=user, run="run-beside")
        )
        assert printed.split() == ["UnifiedWebSocketManager", "True", "True", "False"]
        assert (await receive(socket, "agent_started"))["seq"] == 1
        assert (await receive(socket, "agent_completed"))["seq"] == 2


async def test_factory__events_of_one_user__do_not_reach_another(local_staging: Staging) -> None:
    tokens = [
        await asyncio.to_thread(local_staging.token_of, user) for user in ("auth0|abc123def456", "auth0_abc123def456")
    ]
    async with connect(local_staging, tokens[0]) as own, connect(local_staging, tokens[1]) as other:
        for socket in (own, other):
            await socket.send('{"action": "ping", "payload": "before"}')
            await receive(socket, "pong")
        emit = EMIT.format(user="auth0|abc123def456", run="run-private")
        await asyncio.to_thread(local_staging.manage, "shell", "--no-imports", "-c", emit)
        await receive(own, "agent_completed")
        await other.send('{"action": "ping", "payload": "after"}')
        assert json.loads(await other.recv()) == {"event_type": "pong", "payload": "after"}


async def test_readiness__database_layer_protocol__all_well(staging: Staging) -> None:
    status, body = await asyncio.to_thread(staging.get, "/readyz")
    assert status == 200
    assert json.loads(body)["checks"] == {
        "database": "ok",
        "channel_layer": "ok",
        "protocol": "ok",
        "agents": "ok",
        "draining": "ok",
    }


async def test_database__a_run_is_there__for_every_process(staging: Staging) -> None:
    """Asked again and again through the balancer, each server tells the same."""
    async with connect(staging) as socket:
        await socket.send('{"action": "start_agent", "agent_type": "test"}')
        run_id = (await receive(socket, "agent_completed"))["run_id"]
    for _ in range(4):
        status, body = await asyncio.to_thread(staging.get, f"/api/runs/{run_id}", staging.token)
        assert (status, json.loads(body)["status"]) == (200, "completed")


@pytest.mark.parametrize("path", ["/ws", "/ws/"])
async def test_balancer__both_spellings__lead_to_the_socket(staging: Staging, path: str) -> None:
    url = staging.ws_url.removesuffix("/ws") + path
    async with websockets.connect(url, additional_headers={"Authorization": f"Bearer {staging.token}"}) as socket:
        await socket.send('{"action": "ping", "payload": 1}')
        assert json.loads(await socket.recv())["payload"] == 1


async def test_balancer__subprotocol_and_bearer__only_the_protocol_is_echoed(staging: Staging) -> None:
    offered = [websockets.Subprotocol(name) for name in ("netra.v1.batch", f"bearer.{staging.token}")]
    async with websockets.connect(staging.ws_url, subprotocols=offered) as socket:
        assert socket.subprotocol == "netra.v1.batch"


async def test_balancer__no_compression__whatever_is_offered(staging: Staging) -> None:
    async with connect(staging, compression="deflate") as socket:
        assert "Sec-WebSocket-Extensions" not in socket.response.headers


async def test_no_credentials__says_why__closes_with_4401(staging: Staging) -> None:
    async with websockets.connect(staging.ws_url) as socket:
        assert json.loads(await socket.recv())["code"] == "unauthenticated"
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401


async def test_oidc__a_token_of_a_configured_issuer__is_a_user(local_staging: Staging) -> None:
    assert local_staging.issuer is not None
    token = local_staging.issuer.token("105945141827451681156")
    status, body = await asyncio.to_thread(local_staging.get, "/api/me", token)
    assert (status, json.loads(body)["user_id"]) == (200, "corp:105945141827451681156")
    async with connect(local_staging, token) as socket:
        await socket.send('{"action": "start_agent", "agent_type": "test", "input": "who am I?"}')
        assert (await receive(socket, "agent_completed"))["data"]["result"]["echo"] == {"message": "who am I?"}


async def test_oidc__another_issuers_token__is_refused(local_staging: Staging) -> None:
    assert local_staging.issuer is not None
    token = local_staging.issuer.token("somebody", iss="https://elsewhere.example")
    status, _ = await asyncio.to_thread(local_staging.get, "/api/me", token)
    assert status == 401


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", "invalid_json"),
        ("[]", "invalid_action"),
        ('{"action": "fly"}', "unknown_action"),
        ('{"action": "start_agent", "agent_type": "nobody"}', "unknown_agent"),
        ('{"action": "stop_agent", "run_id": "none"}', "not_found"),
        ('{"action": "resume", "cursors": {"made-up": 7}}', "invalid_cursor"),
    ],
)
async def test_errors__through_the_balancer__leave_the_socket_usable(staging: Staging, frame: str, code: str) -> None:
    async with connect(staging) as socket:
        await socket.send(frame)
        assert (await receive(socket, "error"))["code"] == code
        await socket.send('{"action": "ping", "payload": "still here"}')
        assert (await receive(socket, "pong"))["payload"] == "still here"

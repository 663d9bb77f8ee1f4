"""Netra in a site on other servers than its own: they end runs in time, and let in who may come in."""

import asyncio
import json
import signal
import time
from importlib.util import find_spec
from typing import Any

import pytest
import websockets

from integration.sites.conftest import Serve
from servers.strict_site import SiteServer, StrictSite

# uvicorn always; the others where they are installed, as in `pip install --target DIR`, with DIR on PYTHONPATH.
MODULES = {"gunicorn": "uvicorn_worker", "hypercorn": "hypercorn", "granian": "granian"}
DRAINING = [
    "uvicorn",
    "serve",
    *(
        pytest.param(name, marks=pytest.mark.skipif(not find_spec(module), reason=f"{module} is not installed"))
        for name, module in MODULES.items()
    ),
]
SECONDS = 30.0


async def frame_of(socket: Any, event_type: str) -> dict[str, Any]:
    async with asyncio.timeout(SECONDS):
        while True:
            frame: dict[str, Any] = json.loads(await socket.recv())
            if frame["event_type"] == event_type:
                return frame


async def close_code(server: SiteServer, **how: Any) -> int | None:
    async with asyncio.timeout(SECONDS):
        try:
            async with websockets.connect(server.ws_url, **how) as socket:
                while True:
                    await socket.recv()
        except websockets.ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None


@pytest.mark.parametrize("kind", DRAINING)
async def test_server(site: StrictSite, serve: Serve, kind: str) -> None:
    """First event, who is let in, and a run that ends as `server_stopped` when the process is told to."""
    server = serve(kind)
    token = await asyncio.to_thread(site.token)
    bearer = {"Authorization": f"Bearer {token}"}

    assert await close_code(server) == 4401
    with pytest.raises(websockets.InvalidStatus) as refused:
        await close_code(server, origin="https://evil.example", additional_headers={"Cookie": "sessionid=x"})
    assert refused.value.response.status_code == 403
    with pytest.raises(websockets.InvalidStatus) as elsewhere:
        await websockets.connect(f"{server.ws_url}/elsewhere")
    assert elsewhere.value.response.status_code == 403
    assert "Traceback" not in server.output()

    async with websockets.connect(f"{server.ws_url}/", additional_headers=bearer) as socket:
        await socket.send(json.dumps({"action": "start_agent", "agent_type": "patient"}))
        run = (await frame_of(socket, "agent_thinking"))["run_id"]
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        await asyncio.to_thread(server.wait, SECONDS)
        took = time.monotonic() - began
    assert await asyncio.to_thread(site.run_state, run) == "failed server_stopped"
    assert took < 1 + 10  # NETRA_DRAIN_SECONDS, and what a server needs for itself on a busy machine


async def test_routed_sockets_of_the_site__stay_its_own(site: StrictSite, serve: Serve) -> None:
    """Around a ProtocolTypeRouter, at a path of one's own, which wins over the setting."""
    server = serve("uvicorn", application="acme.routed:application")
    token = await asyncio.to_thread(site.token)
    base = server.ws_url.removesuffix("/ws")
    async with websockets.connect(f"{base}/ws/chat/") as chat, asyncio.timeout(SECONDS):
        await chat.send("hello")
        assert await chat.recv() == "chat: hello"
    async with websockets.connect(f"{base}/live", additional_headers={"Authorization": f"Bearer {token}"}) as socket:
        await socket.send(json.dumps({"action": "start_agent", "agent_type": "orders"}))
        assert (await frame_of(socket, "agent_completed"))["data"]["result"] == {"orders": 7}

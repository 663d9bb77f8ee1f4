"""Real nginx and real Caddy, configured as documented, in front of real servers."""

import asyncio
import http.client
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import websockets

from integration.deploy.proxies import HOST, Proxy, caddy, nginx, trust_anybody
from servers.fixtures import MakeInstallation, StartServer
from servers.netra import NetraServer
from servers.process import free_port

READ_TIMEOUT = 4  # seconds that the proxy lets a socket be quiet; 60 in the file
BEHIND_A_PROXY = {
    "ALLOWED_HOSTS": HOST,
    "NETRA_HTTPS": "1",
    "NETRA_TRUST_FORWARDED_PROTO": "1",
    "NETRA_TRUSTED_PROXIES": "1",
    "NETRA_METRICS_TOKEN": "scrape",
}


@pytest.fixture
def servers(make_installation: MakeInstallation, start_server: StartServer) -> dict[str, NetraServer]:
    """A server that pings three times within the proxy's time-out, as it does in 60 s, and one that never pings."""
    installation = make_installation(env=BEHIND_A_PROXY)
    pings = {"NETRA_PING_SECONDS": "1"}
    quiet = {"NETRA_PING_SECONDS": "3600", "NETRA_SILENCE_SECONDS": "3600"}
    with ThreadPoolExecutor() as pool:
        started = pool.map(lambda env: start_server(installation=installation, env=env), (pings, quiet))
        return dict(zip(("pings", "quiet"), started, strict=True))


@pytest.fixture
def proxies(servers: dict[str, NetraServer], tmp_path: Path) -> Iterator[dict[str, Proxy]]:
    """nginx in front of either server, and Caddy; the second server that each knows of is never there."""
    pings, quiet = servers["pings"].port, servers["quiet"].port
    started = {
        "nginx": nginx(tmp_path / "nginx", (free_port(), pings), READ_TIMEOUT),
        "caddy": caddy(tmp_path / "caddy", (free_port(), pings)),
        "nginx, no pings": nginx(tmp_path / "nginx-quiet", (quiet, free_port()), READ_TIMEOUT),
    }
    try:
        for proxy in started.values():
            proxy.start()
        yield started
    finally:
        for name, proxy in started.items():
            proxy.kill()
            print(f"--- {name} ---\n{proxy.tail()}")  # noqa: T201 - pytest shows it on failure


async def test_proxies__carry_everything_and_keep_quiet_sockets(
    servers: dict[str, NetraServer], proxies: dict[str, Proxy]
) -> None:
    token = servers["pings"].installation.token("auth0|behind-a-proxy")
    for name in ("nginx", "caddy"):
        await asyncio.to_thread(check_http, proxies[name])
        assert await run_agent(proxies[name], token) == "agent_completed", name
    async with connect(proxies["nginx"], token) as by_nginx, connect(proxies["caddy"], token) as by_caddy:
        await asyncio.gather(ping(by_nginx), ping(by_caddy))
        for _ in range(2):  # the proxy itself tells when its time-out is over: it cuts who is not pinged
            async with connect(proxies["nginx, no pings"], token) as unheard:
                await ping(unheard)
                with pytest.raises(websockets.ConnectionClosed):
                    async with asyncio.timeout(READ_TIMEOUT * 10):
                        await unheard.recv()
        await asyncio.gather(ping(by_nginx), ping(by_caddy))  # both lived through both time-outs


def connect(proxy: Proxy, token: str) -> Any:
    """A client that never pings by itself, as browsers do not."""
    return websockets.connect(
        f"wss://{HOST}/ws",
        host="127.0.0.1",
        port=proxy.port,
        ssl=trust_anybody(),
        additional_headers={"Authorization": f"Bearer {token}"},
        ping_interval=None,
    )


async def ping(client: Any) -> None:
    """Be answered."""
    await client.send(json.dumps({"action": "ping"}))
    async with asyncio.timeout(20):
        assert json.loads(await client.recv())["event_type"] == "pong"


async def run_agent(proxy: Proxy, token: str) -> str:
    """Run the test agent to its last event."""
    async with connect(proxy, token) as client, asyncio.timeout(30):
        await client.send(json.dumps({"action": "start_agent", "agent_type": "test", "input": "hello"}))
        while True:
            event = json.loads(await client.recv())
            if event["event_type"] in ("agent_completed", "agent_failed", "error"):
                return str(event["event_type"])


def check_http(proxy: Proxy) -> None:
    """Pages come without a redirect to https, which they were asked for by; numbers do not come at all."""
    assert get(proxy, "/readyz")[0] == 200
    status, headers = get(proxy, "/")
    assert (status, headers.get("Location")) == (302, "/accounts/login/?next=/")
    assert get(proxy, "/metrics")[0] == 404
    assert get(proxy, "/metrics", Authorization="Bearer scrape")[0] == 404


def get(proxy: Proxy, path: str, **headers: str) -> tuple[int, Any]:
    """Status and headers of an answer."""
    connection = http.client.HTTPSConnection(HOST, proxy.port, context=trust_anybody(), timeout=20)
    connection._create_connection = lambda *args, **kwargs: socket.create_connection(  # type: ignore[attr-defined]
        ("127.0.0.1", proxy.port), timeout=20
    )
    try:
        connection.request("GET", path, headers={"Host": HOST, **headers})
        response = connection.getresponse()
        response.read()
        return response.status, response.headers
    finally:
        connection.close()

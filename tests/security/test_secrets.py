"""No credential is found anywhere after use: every way in is driven, good and bad, then everything kept is searched."""

import asyncio
import json
import sqlite3
import threading
from contextlib import closing, suppress
from typing import Any

import pytest
import redis
import requests
import websockets

from security.issuer import Issuer
from security.visitor import Visitor
from servers.fixtures import StartServer
from servers.netra import NetraServer

PASSWORD = "correct-horse-battery-staple"


class Monitor:
    """Everything that is said to a Redis, while the `with` block lasts."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url)
        self.heard: list[str] = []

    def __enter__(self) -> "Monitor":
        self._monitor = self._client.monitor().__enter__()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def _listen(self) -> None:
        for command in self._monitor.listen():
            self.heard.append(str(command["command"]))
            if "netra-monitor-end" in command["command"]:
                return

    def __exit__(self, *error: object) -> None:
        with closing(redis.Redis.from_url(str(self._url()))) as client:
            client.echo("netra-monitor-end")
        self._thread.join(10)
        self._monitor.__exit__(None, None, None)
        self._client.close()

    def _url(self) -> str:
        described: dict[str, Any] = self._client.connection_pool.connection_kwargs
        return f"redis://{described['host']}:{described['port']}/{described.get('db', 0)}"


async def web(method: str, url: str, **headers: str) -> requests.Response:
    return await asyncio.to_thread(requests.request, method, url, headers=headers, timeout=30)


async def connect(server: NetraServer, *frames: Any, query: str = "", **options: Any) -> list[dict[str, Any]]:
    """Open a socket, send frames, return what came until the last answer or the close."""
    got: list[dict[str, Any]] = []
    with suppress(websockets.ConnectionClosed, websockets.InvalidStatus):
        async with websockets.connect(f"{server.ws_url}{query}", proxy=None, **options) as socket:
            with suppress(websockets.ConnectionClosed):  # refused already; why, is still to be read
                for frame in (*frames, {"action": "ping", "payload": "end"}):
                    await socket.send(json.dumps(frame))
            while not got or got[-1].get("payload") != "end":
                got.append(json.loads(await socket.recv()))
    return got


@pytest.mark.parametrize(("kind", "debug"), [("serve", "0"), ("daphne", "1")])
async def test_credentials__are_nowhere_after_use(
    start_server: StartServer, issuer: Issuer, redis_url: str, kind, debug
):
    """At the most talkative level, as JSON and, with DEBUG, as text."""
    env = {
        "LOG_LEVEL": "DEBUG",
        "DEBUG": debug,
        "REDIS_URL": redis_url,
        "NETRA_OIDC_ISSUERS": json.dumps({"corp": issuer.setting()}),
    }
    server = start_server(kind, env=env)
    installation = server.installation
    token, fresh = installation.token("ann"), installation.token("ann")
    jwt, bad_jwt = issuer.token(), issuer.token(aud="other")
    stolen, in_url = "netra_" + "Stolen-token_" * 3 + "abcd", "netra_" + "Token_in-url_" * 3 + "abcd"
    bad_ticket = "netra_once_" + "Bad-ticket__" * 3 + "1234567"
    session = installation.session("ann", password=PASSWORD)
    cookie = {"Cookie": f"sessionid={session}", "Origin": server.url}
    with Monitor(redis_url) as monitor, Visitor(server.url) as person:
        header = {"Authorization": f"Bearer {token}"}
        answer = await web("POST", f"{server.url}/api/tickets", **header)
        assert answer.status_code == 201
        ticket = answer.json()["ticket"]

        refresh = {"action": "authenticate", "token": fresh}
        forged = {"action": "authenticate", "token": stolen}
        start = {"action": "start_agent", "agent_type": "test"}
        assert (await connect(server, start, refresh, forged, additional_headers=header))[-1]["payload"] == "end"
        assert (await connect(server, start, subprotocols=["netra.v1", f"bearer.{token}"]))[-1]["payload"] == "end"
        assert (await connect(server, start, query=f"?ticket={ticket}"))[-1]["payload"] == "end"
        assert (await connect(server, start, additional_headers=cookie))[-1]["payload"] == "end"
        assert (await connect(server, additional_headers={"Authorization": f"Bearer {jwt}"}))[-1]["payload"] == "end"

        refused = [
            await connect(server, additional_headers={"Authorization": f"Bearer {stolen}"}),
            await connect(server, additional_headers={"Authorization": f"Bearer {bad_jwt}"}),
            await connect(server, subprotocols=[f"bearer.{stolen}"]),
            await connect(server, query=f"?ticket={ticket}"),
            await connect(server, query=f"?ticket={bad_ticket}"),
            await connect(server, query=f"?token={in_url}"),
            await connect(server, query=f"?access_token={jwt}"),
        ]
        assert [frames[-1]["code"] for frames in refused] == ["unauthenticated"] * 7
        assert await connect(server, additional_headers={**cookie, "Origin": "https://evil.example"}) == []
        # Mistakes of clients: a socket's address asked for as a page, secrets where none belong.
        for path in (f"/ws?ticket={bad_ticket}", f"/api/me?token={in_url}", f"/nowhere?access_token={jwt}"):
            await web("GET", f"{server.url}{path}", Authorization=f"Bearer {stolen}")
        await web("GET", f"{server.url}/accounts/login/?code={in_url}", **cookie)
        await asyncio.to_thread(person.log_in, "ann", PASSWORD)
        metrics = (await web("GET", f"{server.url}/metrics", **header)).text
        person_session = person.session
    server.terminate()

    secrets = {
        "token": token,
        "fresh": fresh,
        "jwt": jwt.rpartition(".")[2],
        "bad_jwt": bad_jwt.rpartition(".")[2],
        "stolen": stolen,
        "in_url": in_url,
        "ticket": ticket,
        "bad_ticket": bad_ticket,
        "session": session,
        "person_session": person_session,
        "password": PASSWORD,
    }
    assert all(len(secret) > 20 for secret in secrets.values())
    kept = {
        "log": server.output(),
        "database": _database(installation.folder / "db.sqlite3"),
        "redis": "\n".join(monitor.heard),
        "metrics": metrics,
    }
    assert "PUBLISH" in kept["redis"]
    assert "agent_completed" in kept["database"] or "agent_started" in kept["database"]
    found = [(name, place) for name, secret in secrets.items() for place, text in kept.items() if secret in text]
    assert found == []


def _database(path: Any) -> str:
    """All rows of all tables, but for Django's own sessions, whose keys are the cookies."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return "\n".join(
            repr(row)
            for table in tables
            if table != "django_session"
            for row in connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - names from the database itself
        )

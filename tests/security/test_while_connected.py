"""Only while you are you: every end of a credential closes its sockets on every process, and nobody else's."""

import asyncio
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import ClientConnection

from security.visitor import Visitor
from servers.fixtures import TEST_KEY, StartServer
from servers.netra import Installation, NetraServer

PASSWORD = "correct horse battery"
SECONDS = 5.0  # what the protocol promises
# How each credential ends, and what the last frame then says.
ENDS = {
    "logged_out": "session_revoked",
    "changed_password": "session_revoked",
    "session_deleted": "session_revoked",
    "password_set": "session_revoked",
    "deactivated": "session_revoked",
    "user_deleted": "session_revoked",
    "token_revoked": "session_revoked",
    "token_deleted": "session_revoked",
    "token_of_deactivated": "session_revoked",
}
BY_TOKEN = ("token_revoked", "token_deleted", "token_of_deactivated")

PREPARE = """
import json
from importlib import import_module
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.auth.hashers import make_password
from django.contrib.sessions.backends.db import SessionStore
from websocket_core.auth import tokens
known, made = make_password({password!r}), {{}}
for name in {names!r}:
    user = User.objects.create(username=name, password=known)
    sessions = []
    for _ in range(2):
        store = SessionStore()
        store[SESSION_KEY], store[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
        store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        store.save()
        sessions.append(store.session_key)
    made[name] = [*sessions, tokens.issue(str(user.pk))[0], str(user.pk)]
print(json.dumps(made))
"""
# Each by objects, as a view or an admin does it: signals ring.
CHANGE = """
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from websocket_core.auth import tokens
from websocket_core.models import AccessToken
made = {made!r}
Session.objects.get(pk=made["session_deleted"][0]).delete()
user = User.objects.get(username="password_set"); user.set_password("x"); user.save()
for name in ("deactivated", "token_of_deactivated"):
    user = User.objects.get(username=name); user.is_active = False; user.save()
User.objects.get(username="user_deleted").delete()
tokens.revoke(AccessToken.objects.get(user_id=made["token_revoked"][3]))
AccessToken.objects.get(user_id=made["token_deleted"][3]).delete()
"""
# Behind Django's back: no signal, only the processes' own looking finds it.
BULK_CHANGE = """
from datetime import datetime, UTC
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from websocket_core.models import AccessToken
made = {made!r}
Session.objects.filter(pk=made["session_deleted"][0])._raw_delete("default")
User.objects.filter(username="password_set").update(password="x")
User.objects.filter(username__in=["deactivated", "token_of_deactivated"]).update(is_active=False)
User.objects.filter(username="user_deleted")._raw_delete("default")
AccessToken.objects.filter(user_id=made["user_deleted"][3])._raw_delete("default")
AccessToken.objects.filter(user_id=made["token_revoked"][3]).update(revoked_at=datetime.now(UTC))
AccessToken.objects.filter(user_id=made["token_deleted"][3])._raw_delete("default")
"""


def shell(installation: Installation, code: str, **values: Any) -> str:
    return installation.manage("shell", "--no-imports", "-c", code.format(**values))


class Socket:
    """A socket that writes down what it gets, and when it was closed."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.frames: list[dict[str, Any]] = []
        self.closed_at = float("inf")
        self._task = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        with suppress(websockets.ConnectionClosed):
            async for text in self.connection:
                self.frames.append(json.loads(text))
        self.closed_at = time.monotonic()

    async def send(self, **action: Any) -> None:
        await self.connection.send(json.dumps(action))

    async def until(self, event_type: str, seconds: float = 20.0) -> dict[str, Any]:
        """The next frame of this type from now on, or the last one already here."""
        async with asyncio.timeout(seconds):
            while True:
                if found := [frame for frame in self.frames if frame["event_type"] == event_type]:
                    return found[-1]
                await asyncio.sleep(0.01)

    async def ended(self, seconds: float = 30.0) -> tuple[int | None, str]:
        """Close code, and `code` of the last frame."""
        async with asyncio.timeout(seconds):
            await asyncio.shield(self._task)
        return self.connection.close_code, self.frames[-1].get("code", "") if self.frames else ""

    async def is_alive(self) -> bool:
        self.frames.clear()
        await self.send(action="ping", payload=1)
        return bool((await self.until("pong"))["payload"] == 1)

    async def close(self) -> None:
        await self.connection.close()
        await self._task


async def open_socket(stack: AsyncExitStack, server: NetraServer, *, token: str = "", session: str = "") -> Socket:
    """A socket that has done its first action."""
    if token:
        headers = {"Authorization": f"Bearer {token}"}
    else:
        headers = {"Cookie": f"sessionid={session}", "Origin": server.url}
    connection = await websockets.connect(server.ws_url, additional_headers=headers, proxy=None, open_timeout=30)
    socket = Socket(connection)
    stack.push_async_callback(socket.close)
    assert await socket.is_alive()
    return socket


@pytest.mark.parametrize("way", ["bell", "looking"])
async def test_end__closes_every_socket_of_it_and_no_other(start_server: StartServer, redis_url, way):
    """`bell`: through Redis, with the processes' own looking turned off. `looking`: no Redis, no signals."""
    env = {"REDIS_URL": redis_url, "NETRA_CREDENTIAL_CHECK_SECONDS": "600"} if way == "bell" else {}
    first = start_server(env=env)
    servers = [first, start_server(installation=first.installation, env=env)]
    made = json.loads(shell(first.installation, PREPARE, names=[*ENDS, "bystander"], password=PASSWORD))
    async with AsyncExitStack() as stack:
        doomed: dict[str, list[Socket]] = {}
        spared: dict[str, Socket] = {}
        for name, (one, other, token, _) in made.items():
            for server in servers:
                credential = {"token": token} if name in BY_TOKEN or name == "bystander" else {"session": one}
                doomed.setdefault(name, []).append(await open_socket(stack, server, **credential))
            if name in ("logged_out", "session_deleted"):
                spared[f"other session of {name}"] = await open_socket(stack, servers[1], session=other)
                spared[f"token of {name}"] = await open_socket(stack, servers[1], token=token)
            if name == "password_set":
                spared["token after a change of password"] = await open_socket(stack, servers[0], token=token)
        for number, socket in enumerate(doomed.pop("bystander")):
            spared[f"bystander {number}"] = socket

        def by_pages() -> None:
            for name, act in (("logged_out", "logout/"), ("changed_password", "password/change/")):
                with Visitor(servers[0].url) as person:
                    person.web.cookies.set("sessionid", made[name][0])
                    fields = {"oldpassword": PASSWORD, "password1": "Trombone-77!", "password2": "Trombone-77!"}
                    answer = person.submit(f"/accounts/{act}", **({} if act == "logout/" else fields))
                    assert answer.status_code == 200
                    assert "errorlist" not in answer.text

        await asyncio.to_thread(by_pages)
        paged = time.monotonic()
        await asyncio.to_thread(shell, first.installation, CHANGE if way == "bell" else BULK_CHANGE, made=made)
        changed = time.monotonic()

        for name, sockets in doomed.items():
            for socket in sockets:
                assert (name, *await socket.ended()) == (name, 4401, ENDS[name])
                since = paged if name in ("logged_out", "changed_password") else changed
                assert socket.closed_at - since < SECONDS, name
        for name, socket in spared.items():
            assert await socket.is_alive(), name


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[NetraServer]:
    """One that several tests share; each has users of its own."""
    folder = tmp_path_factory.mktemp("connected") / "data"
    shutil.copytree(migrated_sqlite, folder)
    env = {"SECRET_KEY": TEST_KEY, "NETRA_SESSION_WARNING_SECONDS": "5"}
    server = Installation(folder, env).server()
    server.start()
    yield server
    server.end()


TOKENS = """
from websocket_core.auth import tokens
for name in {names!r}: print(tokens.issue(name)[0])
"""
# As a view or an admin does it: signals ring.
REVOKE = """
from websocket_core.auth import tokens
from websocket_core.models import AccessToken
[tokens.revoke(token) for token in AccessToken.objects.filter({of}).order_by("pk")]
"""
SHORTEN = """
from datetime import datetime, timedelta, UTC
from websocket_core.models import AccessToken
first = AccessToken.objects.filter(user_id={user!r}).order_by("pk").first()
AccessToken.objects.filter(pk=first.pk).update(expires_at=datetime.now(UTC) + timedelta(seconds=8))
"""


async def test_end__nothing_more_goes_out_and_the_run_goes_on(server: NetraServer):
    """The socket is closed in the middle of a run; a new credential of the user finds all of it."""
    installation = server.installation
    async with AsyncExitStack() as stack:
        socket = await open_socket(stack, server, token=installation.token("auth0|ann"))
        await socket.send(action="start_agent", agent_type="test", thread_id="t")
        await socket.until("agent_started")
        await asyncio.to_thread(shell, installation, REVOKE, of="user_id='auth0|ann'")
        assert await socket.ended() == (4401, "session_revoked")
        again = await open_socket(stack, server, token=installation.token("auth0|ann"))
        await again.send(action="resume", cursors={"t": 0})
        await again.until("agent_completed")
        seqs = [frame["seq"] for frame in again.frames if "seq" in frame]
        assert seqs == list(range(1, len(seqs) + 1))


async def test_expiry__is_announced_and_closes_but_for_who_has_a_fresh_token_of_the_same_user(server: NetraServer):
    installation = server.installation
    first, fresh, of_bob = (await asyncio.to_thread(shell, installation, TOKENS, names=["tim", "tim", "bob"])).split()
    async with AsyncExitStack() as stack:
        sockets = [await open_socket(stack, server, token=first) for _ in range(4)]
        left, refreshed, stolen, garbage = sockets
        # Only now, when all of them are there, however busy the machine is.
        await asyncio.to_thread(shell, installation, SHORTEN, user="tim")
        warned = [await socket.until("session_expiring") for socket in sockets]
        end = _moment(warned[0]["expires_at"])
        assert end - time.time() <= 5.5

        await refreshed.send(action="authenticate", token=fresh, request_id="r")
        answer = await refreshed.until("authenticated")
        assert answer["request_id"] == "r"
        assert _moment(answer["expires_at"]) - time.time() > 1000

        await stolen.send(action="authenticate", token=of_bob)
        assert await stolen.ended() == (4401, "unauthenticated")

        await garbage.send(action="authenticate", token="netra_" + "x" * 43)
        assert (await garbage.until("error"))["code"] in ("unauthenticated", "token_expired")

        for socket in (left, garbage):
            assert await socket.ended(60) == (4401, "token_expired")
        assert 0 <= time.time() - end < SECONDS
        assert await refreshed.is_alive()
        late = await websockets.connect(
            server.ws_url, additional_headers={"Authorization": f"Bearer {first}"}, proxy=None
        )
        assert json.loads(await late.recv())["code"] == "token_expired"
        await late.wait_closed()
        assert late.close_code == 4401


def _moment(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


async def test_end__a_socket_that_does_not_read_does_not_keep_others_open(server: NetraServer):
    """Closing waits for nobody: who stops reading must not delay what closes the sockets of others."""
    installation = server.installation
    made = json.loads(shell(installation, PREPARE, names=["deaf-1", "deaf-2", "deaf-3", "zoe"], password=PASSWORD))
    ping = json.dumps({"action": "ping", "payload": "x" * 60_000})
    async with AsyncExitStack() as stack:
        for name in ("deaf-1", "deaf-2", "deaf-3"):
            headers = {"Authorization": f"Bearer {made[name][2]}"}
            deaf = await websockets.connect(server.ws_url, additional_headers=headers, proxy=None, max_queue=1)
            stack.callback(deaf.transport.abort)
            deaf.transport.pause_reading()
            with suppress(TimeoutError):
                for _ in range(190):  # the answers fill what lies between the two; more would be flooding
                    async with asyncio.timeout(2):
                        await deaf.send(ping)
        zoe = await open_socket(stack, server, token=made["zoe"][2])
        owners = [made[name][3] for name in made]
        await asyncio.to_thread(shell, installation, REVOKE, of=f"user_id__in={owners}")
        changed = time.monotonic()
        assert await zoe.ended(60) == (4401, "session_revoked")
        assert zoe.closed_at - changed < SECONDS

"""A socket lasts until the current expiry of its session, not until the expiry at the handshake."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import AsyncClient

from netra.project.asgi import application
from security.fixtures import log_in
from websocket_core import auth
from websocket_core.auth import Identity
from websocket_core.bell import credentials_news, ring_after_commit
from websocket_core.database import db
from websocket_core.gateway import get_gateway
from websocket_core.testing.sockets import Client, InProcessSocket
from websocket_core.wire.frames import moment

pytestmark = pytest.mark.django_db(transaction=True)

Visit = Callable[[str], Awaitable[Client]]


@pytest.fixture(autouse=True)
def quick(settings):
    settings.NETRA_WATCHDOG_SECONDS = 0.05
    settings.NETRA_CREDENTIAL_CHECK_SECONDS = 0.1


@pytest.fixture
async def visit(quiet_loop: None) -> AsyncIterator[Visit]:
    """Function that opens the socket of a page whose user has logged in."""
    async with AsyncExitStack() as stack:

        async def opened(username: str) -> Client:
            user = (await User.objects.aget_or_create(username=username))[0]
            cookie = await db.read(log_in, user)
            own = [
                (b"host", b"localhost"),
                (b"origin", b"http://localhost"),
                (b"cookie", f"sessionid={cookie}".encode()),
            ]
            client = Client(await InProcessSocket.open(application, headers=own))
            stack.push_async_callback(client.close)
            assert (await client.ask("ping"))["event_type"] == "pong"
            return client

        yield opened


async def ends(seconds: float) -> datetime:
    """Let the rows of all sessions end so many seconds from now."""
    end = datetime.now(UTC) + timedelta(seconds=seconds)
    await Session.objects.aupdate(expire_date=end)
    return end


def believed(seconds: float) -> None:
    """Make every socket of this loop believe that its credential ends so many seconds from now."""
    for connection in get_gateway().hub.connections():
        assert connection.identity is not None
        connection.identity = replace(connection.identity, expires_at=datetime.now(UTC) + timedelta(seconds=seconds))


async def known(end: datetime) -> None:
    """Wait until every socket of this loop knows this end."""
    async with asyncio.timeout(20):
        while {c.identity and c.identity.expires_at for c in get_gateway().hub.connections()} != {end}:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def only_when_rung(settings) -> None:
    """From now on nobody looks at everybody."""
    settings.NETRA_CREDENTIAL_CHECK_SECONDS = 600.0
    async with asyncio.timeout(20):
        while get_gateway().watchdog._credentials._checked == float("-inf"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_renewed_in_the_last_second__stays_open(visit: Visit, settings):
    """What was known at the handshake is past; the row has another end since."""
    client = await visit("ann")
    await only_when_rung(settings)
    row = await Session.objects.aget()
    believed(-1)
    await known(row.expire_date)
    assert (await client.ask("ping", payload=1))["payload"] == 1


async def test_expires_during_a_check__waits_for_the_next_one(visit: Visit, settings, monkeypatch):
    """The check that is under way did not ask about it: only the next one learns that a page renewed the session."""
    client = await visit("ann")
    await only_when_rung(settings)
    row = await Session.objects.aget()
    began, goes_on = threading.Event(), threading.Event()
    real = auth.review

    def held(identities: set[Identity]) -> auth.Review:
        began.set()
        assert goes_on.wait(20)
        return real(identities)

    monkeypatch.setattr(auth, "review", held)
    settings.NETRA_CREDENTIAL_CHECK_SECONDS = 0.0  # everybody is looked at, valid or not
    assert await asyncio.to_thread(began.wait, 20)
    settings.NETRA_CREDENTIAL_CHECK_SECONDS = 600.0
    believed(-1)
    goes_on.set()
    await known(row.expire_date)
    assert (await client.ask("ping", payload=1))["payload"] == 1


async def test_renewed_by_a_page__is_announced_again_before_its_new_end(visit: Visit, settings):
    settings.SESSION_SAVE_EVERY_REQUEST = True
    client = await visit("ann")
    first = await ends(50)
    assert (await client.until("session_expiring"))["expires_at"] == moment(first)
    web = AsyncClient()
    web.cookies["sessionid"] = (await Session.objects.aget()).session_key
    assert (await web.get("/console/bootstrap.json")).status_code == 200
    renewed = (await Session.objects.aget()).expire_date
    assert renewed - first > timedelta(days=10)
    await known(renewed)
    second = await ends(55)
    assert (await client.until("session_expiring"))["expires_at"] == moment(second)
    assert [frame["event_type"] for frame in client.frames].count("session_expiring") == 2


async def test_shortened__closes_at_the_new_end(visit: Visit):
    client = await visit("ann")
    await ends(-1)
    assert await client.closed() == 4401
    assert client.frames[-1]["code"] == "token_expired"


async def test_past_its_end__with_the_database_away__closes_all_the_same(visit: Visit, faults, settings):
    client = await visit("ann")
    await only_when_rung(settings)
    faults.away = True
    believed(-1)
    code = await client.closed()
    faults.away = False
    assert (code, client.frames[-1]["code"]) == (4401, "token_expired")


async def test_ticket__of_a_session_slides_with_it(visit: Visit, settings):
    client = await visit("ann")
    [connection] = get_gateway().hub.connections()
    assert connection.identity is not None
    connection.identity = connection.identity.by_ticket()
    row = await Session.objects.aget()
    believed(-1)
    await known(row.expire_date)
    assert (await client.ask("ping", payload=1))["payload"] == 1


async def test_ring__asks_about_its_user_alone(visit: Visit, settings, monkeypatch):
    ann, bob = await visit("ann"), await visit("bob")
    await only_when_rung(settings)
    ann_id, bob_id = [str((await User.objects.aget(username=name)).pk) for name in ("ann", "bob")]
    asked: list[set[str]] = []
    real = auth.review

    def counted(identities: set[Identity]) -> auth.Review:
        asked.append({str(identity.user_id) for identity in identities})
        return real(identities)

    monkeypatch.setattr(auth, "review", counted)
    await User.objects.aupdate(is_active=False)  # tells nobody
    ring_after_commit(credentials_news(bob_id))
    assert await bob.closed() == 4401
    assert asked == [{bob_id}]
    assert (await ann.ask("ping", payload=1))["payload"] == 1
    ring_after_commit(credentials_news(ann_id))
    assert await ann.closed() == 4401


async def test_ring__is_answered_although_the_channel_layer_hangs(visit: Visit, settings, monkeypatch):
    """Entering groups again waits for a layer that neither answers nor refuses; closing must not wait with it."""
    settings.NETRA_CREDENTIAL_CHECK_SECONDS = 0.1
    clients = [await visit(f"user-{number}") for number in range(6)]
    hangs, heals = asyncio.Event(), asyncio.Event()

    class Hanging:
        async def group_add(self, group: str, channel: str) -> None:
            hangs.set()
            await heals.wait()

        async def group_discard(self, group: str, channel: str) -> None:
            raise ConnectionError

        def __getattr__(self, name: str) -> None:
            raise ConnectionError

    monkeypatch.setattr("websocket_core.bell.listener.get_channel_layer", Hanging)
    for member in get_gateway().hub._members.values():
        member.joined = False
    await asyncio.wait_for(hangs.wait(), 20)
    await User.objects.aupdate(is_active=False)
    codes = [await client.closed() for client in clients]
    heals.set()
    assert codes == [4401] * 6

"""A ticket is short-lived and opens one socket, which lasts as long as the credential that requested the ticket."""

import asyncio
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from security.fixtures import log_in
from security.handshakes import HOST, OWN_ORIGIN, scope
from websocket_core.auth import Unauthenticated, check, identify, issue_ticket, tokens
from websocket_core.database import db
from websocket_core.errors import SessionRevoked, TokenExpired
from websocket_core.models import AccessToken, Ticket

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def hosts(settings):
    settings.ALLOWED_HOSTS = [HOST]


async def by_ticket(text):
    return await identify(scope(query=f"ticket={text}"))


@pytest.fixture
async def token():
    return (await db.read(tokens.issue, "ann", timedelta(minutes=5)))[0]


async def test_ticket__carries_user_end_and_credential(token):
    asked = await identify(scope(bearer=token))
    text, seconds = await issue_ticket(asked)
    assert seconds == 30
    identity = await by_ticket(text)
    assert identity.kind == "ticket"
    assert (identity.user_id, identity.expires_at, identity.credential) == ("ann", asked.expires_at, asked.credential)


async def test_ticket__replayed_is_refused(token):
    text, _ = await issue_ticket(await identify(scope(bearer=token)))
    await by_ticket(text)
    for _ in range(2):
        with pytest.raises(Unauthenticated):
            await by_ticket(text)


async def test_ticket__many_at_once_let_one_in(token):
    for _ in range(5):
        text, _ = await issue_ticket(await identify(scope(bearer=token)))
        results = await asyncio.gather(*(by_ticket(text) for _ in range(8)), return_exceptions=True)
        assert sum(not isinstance(result, BaseException) for result in results) == 1
        assert sum(isinstance(result, Unauthenticated) for result in results) == 7


async def test_ticket__too_old_is_refused(token):
    text, _ = await issue_ticket(await identify(scope(bearer=token)))
    await Ticket.objects.aupdate(expires_at=timezone.now() - timedelta(milliseconds=1))
    with pytest.raises(TokenExpired):
        await by_ticket(text)
    assert not await Ticket.objects.aexists()


async def test_ticket__dead_ones_are_swept_away(token):
    identity = await identify(scope(bearer=token))
    for _ in range(3):
        await issue_ticket(identity)
    await Ticket.objects.aupdate(expires_at=timezone.now() - timedelta(seconds=1))
    await issue_ticket(identity)
    assert await Ticket.objects.acount() == 1


async def test_ticket__dies_with_the_token_behind_it(token):
    text, _ = await issue_ticket(await identify(scope(bearer=token)))
    await AccessToken.objects.aupdate(revoked_at=timezone.now())
    with pytest.raises(SessionRevoked):
        await by_ticket(text)


async def test_ticket__dies_with_the_session_behind_it():
    user = await db.read(User.objects.create_user, "ann")
    session = await db.read(log_in, user)
    asked = await identify(scope(cookie=session, origin=OWN_ORIGIN))
    first, _ = await issue_ticket(asked)
    second, _ = await issue_ticket(asked)
    identity = await by_ticket(first)
    assert await db.read(check, [identity]) == {}
    await User.objects.aupdate(is_active=False)
    assert await db.read(check, [identity]) == {identity: "session_revoked"}
    with pytest.raises(SessionRevoked):
        await by_ticket(second)


async def test_ticket__database_holds_no_secret(token):
    """Neither the ticket's text, nor the token or session key behind it."""
    user = await db.read(User.objects.create_user, "bob")
    session = await db.read(log_in, user)
    by_token, _ = await issue_ticket(await identify(scope(bearer=token)))
    by_session, _ = await issue_ticket(await identify(scope(cookie=session, origin=OWN_ORIGIN)))
    stored = repr([row async for row in Ticket.objects.values()]) + repr(
        [row async for row in AccessToken.objects.values()]
    )
    for secret in (token, session, by_token, by_session):
        assert secret not in stored
        assert secret[6:] not in stored

"""The first credential present decides, good or bad; nothing else in a handshake counts."""

import pytest
from django.contrib.auth.models import User

from security.fixtures import log_in
from security.handshakes import HOST, OWN_ORIGIN, scope
from websocket_core.auth import Unauthenticated, identify, issue_ticket, tokens
from websocket_core.database import db

pytestmark = pytest.mark.django_db(transaction=True)
BAD = "netra_" + "x" * 43


@pytest.fixture(autouse=True)
def hosts(settings):
    settings.ALLOWED_HOSTS = [HOST]


@pytest.fixture
def cookie():
    return {"cookie": log_in(User.objects.create_user("ann")), "origin": OWN_ORIGIN}


async def token_of(user_id):
    return (await db.read(tokens.issue, user_id))[0]


async def ticket_of(user_id):
    return (await issue_ticket(await identify(scope(bearer=await token_of(user_id)))))[0]


async def test_order__each_wins_over_those_after_it(cookie):
    header, protocol = await token_of("header"), [f"bearer.{await token_of('protocol')}"]
    query = f"ticket={await ticket_of('ticket')}"
    everything = {"bearer": header, "subprotocols": protocol, "query": query, **cookie}
    assert (await identify(scope(**everything))).user_id == "header"
    del everything["bearer"]
    assert (await identify(scope(**everything))).user_id == "protocol"
    del everything["subprotocols"]
    assert (await identify(scope(**everything))).user_id == "ticket"
    del everything["query"]
    assert (await identify(scope(**everything))).kind == "session"


async def test_order__a_credential_that_is_not_reached_is_not_used_up():
    query = f"ticket={await ticket_of('ticket')}"
    assert (await identify(scope(bearer=await token_of("header"), query=query))).user_id == "header"
    assert (await identify(scope(query=query))).user_id == "ticket"


@pytest.mark.parametrize(
    "bad",
    [
        {"bearer": BAD},
        {"bearer": ""},
        {"bearer": "a.b.c"},
        {"subprotocols": ["netra.v1", f"bearer.{BAD}"]},
        {"subprotocols": ["bearer."]},
        {"query": "ticket=nonsense"},
        {"query": "ticket="},
        {"query": "ticket"},
    ],
)
async def test_order__a_bad_one_is_not_passed_over(cookie, bad):
    """A page that forces a bad token in must not fall back to the visitor's own cookie, nor the other way round."""
    with pytest.raises(Unauthenticated):
        await identify(scope(**bad, **cookie))


@pytest.mark.parametrize("other", [BAD, None])
async def test_several_of_one_kind__are_refused(other):
    """Two readers could pick different ones."""
    token = await token_of("ann")
    other = other or token
    with pytest.raises(Unauthenticated):
        await identify(scope(bearer=token, headers=[("authorization", f"Bearer {other}")]))
    with pytest.raises(Unauthenticated):
        await identify(scope(subprotocols=[f"bearer.{token}", f"bearer.{other}"]))
    ticket = await ticket_of("ann")
    with pytest.raises(Unauthenticated):
        await identify(scope(query=f"ticket={ticket}&ticket={other}"))


@pytest.mark.parametrize(
    "query", ["token={}", "access_token={}", "bearer={}", "authorization=Bearer%20{}", "Ticket={}"]
)
async def test_url__a_token_in_it_is_refused(query):
    with pytest.raises(Unauthenticated):
        await identify(scope(query=query.format(await token_of("ann"))))


async def test_url__a_token_is_no_ticket_and_a_ticket_no_token():
    with pytest.raises(Unauthenticated):
        await identify(scope(query=f"ticket={await token_of('ann')}"))
    ticket = await ticket_of("ann")
    with pytest.raises(Unauthenticated):
        await identify(scope(bearer=ticket))
    assert (await identify(scope(query=f"ticket={ticket}"))).user_id == "ann"


async def test_header__scheme_in_any_case_and_other_schemes_are_not_ours(cookie):
    token = await token_of("ann")
    assert (await identify(scope(headers=[("authorization", f"bEARER  {token} ")]))).user_id == "ann"
    proxied = scope(headers=[("authorization", "Basic dXNlcjpwYXNz")], **cookie)
    assert (await identify(proxied)).kind == "session"


@pytest.mark.parametrize("length", [17_000, 1_000_000])
async def test_size__a_huge_credential_costs_nothing(length):
    for bad in ({"bearer": "netra_" + "x" * length}, {"query": "ticket=" + "x" * length}, {"cookie": "x" * length}):
        with pytest.raises(Unauthenticated):
            await identify(scope(origin=OWN_ORIGIN, **bad))


@pytest.mark.parametrize("text", ["\x00", "é", "netra_\x00", "%00", "'; --", "netra_" + "é" * 43])
async def test_garbage__is_unauthenticated(text):
    for bad in ({"bearer": text}, {"subprotocols": [f"bearer.{text}"]}, {"cookie": text}, {"query": f"ticket={text}"}):
        with pytest.raises(Unauthenticated):
            await identify(scope(origin=OWN_ORIGIN, **bad))

"""A session cookie opens a socket from this site's own pages alone; tokens and tickets need no origin."""

import pytest
from django.contrib.auth.models import User
from django.test import override_settings

from security.fixtures import log_in
from security.handshakes import HOST, OWN_ORIGIN, scope
from websocket_core.auth import OriginRefused, Unauthenticated, identify, issue_ticket, origin, tokens
from websocket_core.database import db
from websocket_core.process.log_budget import LogBudget

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def hosts(settings):
    settings.ALLOWED_HOSTS = [HOST, "alias.example", "[::1]"]
    settings.NETRA_ALLOWED_ORIGINS = (
        *("https://app.example", "http://localhost:3000", "capacitor://localhost", "tauri://localhost"),
        *("chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb", "app://My.App"),
    )


@pytest.fixture
def cookie():
    return log_in(User.objects.create_user("ann"))


async def user_of(scope):
    return (await identify(scope)).user_id


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "null",
        "https://evil.example",
        "https://evil-netra.example",
        "https://netra.example.evil",
        "https://netra.example.evil.example",
        "https://evil.example/netra.example",
        "https://netra.example@evil.example",
        "https://evil.example#https://netra.example",
        "https://netra.example:8443",
        "https://netra.example:80",
        "https://netra.example:443x",
        "http://netra.example",
        "http://netra.example:443",
        "wss://netra.example",
        "https://netra.example/",
        "https://netra.example ",
        "https://netra.example\n",
        "https://netra.example\u00a0",
        "\u00a0https://netra.example",
        "https://netra.example\u0085",
        "https://netra.example\t",
        "https://netra.example\x0b",
        "https://netra.example:443\u00a0",
        "https://netra.example,https://netra.example",
        "https://netra.example https://evil.example",
        "https://netra.example.",
        "https://sub.netra.example",
        "https://alias.example",
        "netra.example",
        "//netra.example",
        "file://",
        "https://app.example:444",
        "http://app.example",
        "http://localhost:3001",
        "http://localhost",
        "capacitor://localhost:1",
        "capacitor://localhos",
        "capacitors://localhost",
        "ionic://localhost",
        "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllclec",
        "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb/",
        "app://my.app",
        "*",
    ],
)
async def test_cookie__foreign_origin_is_refused(cookie, origin):
    with pytest.raises(OriginRefused):
        await identify(scope(cookie=cookie, origin=origin))


@pytest.mark.parametrize(
    "origin",
    [
        OWN_ORIGIN,
        "https://netra.example:443",
        "https://NETRA.example",
        "https://app.example",
        "https://app.example:443",
        "http://localhost:3000",
        "capacitor://localhost",
        "tauri://localhost",
        "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb",
        "app://My.App",
    ],
)
async def test_cookie__own_and_listed_origins_are_let_in(cookie, origin):
    assert await user_of(scope(cookie=cookie, origin=origin)) == str((await User.objects.aget()).pk)


@pytest.mark.parametrize(
    ("host", "scheme", "origin"),
    [
        ("netra.example:8000", "ws", "http://netra.example:8000"),
        ("netra.example:80", "ws", "http://netra.example"),
        ("[::1]:8000", "ws", "http://[::1]:8000"),
        ("alias.example", "wss", "https://alias.example"),
    ],
)
async def test_cookie__own_origin_follows_the_request(cookie, host, scheme, origin):
    assert await user_of(scope(cookie=cookie, host=host, scheme=scheme, origin=origin))


@pytest.mark.parametrize("origin", [OWN_ORIGIN, "null"])
async def test_cookie__two_origin_headers_are_refused(cookie, origin):
    with pytest.raises(OriginRefused):
        await identify(scope(cookie=cookie, origin=OWN_ORIGIN, headers=[("origin", origin)]))


@pytest.mark.parametrize("cookie_value", ["x" * 32, "short"])
async def test_cookie__origin_counts_before_the_session_is_looked_at(cookie_value):
    """A foreign page must not even learn whether the session is valid."""
    with pytest.raises(OriginRefused):
        await identify(scope(cookie=cookie_value, origin="https://evil.example"))
    with pytest.raises(Unauthenticated):
        await identify(scope(cookie=cookie_value, origin=OWN_ORIGIN))


@pytest.mark.parametrize(
    "host", ["evil.example", "netra.example.evil", "netra.example:x", "", "netra.example,evil.example"]
)
@pytest.mark.parametrize("credential", [{"cookie": "k" * 32}, {"bearer": "netra_x"}, {}])
async def test_host__unknown_names_are_refused(host, credential):
    with pytest.raises(OriginRefused):
        await identify(scope(host=host, origin=f"https://{host}", **credential))


async def test_host__missing_gives_cookies_no_origin_of_their_own(cookie):
    with pytest.raises(OriginRefused):
        await identify(scope(host=None, cookie=cookie, origin=OWN_ORIGIN))


async def test_proxy__scheme_is_believed_when_configured(cookie):
    behind = scope(cookie=cookie, scheme="ws", origin=OWN_ORIGIN, headers=[("x-forwarded-proto", "https")])
    with pytest.raises(OriginRefused):
        await identify(behind)
    with override_settings(SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https")):
        assert await user_of(behind)
        with pytest.raises(OriginRefused):
            await identify({**behind, "headers": [*behind["headers"][:-1], (b"x-forwarded-proto", b"http")]})


async def test_proxy__host_is_believed_when_configured(cookie):
    behind = scope(cookie=cookie, origin=OWN_ORIGIN, host="alias.example", headers=[("x-forwarded-host", HOST)])
    with pytest.raises(OriginRefused):
        await identify(behind)
    with override_settings(USE_X_FORWARDED_HOST=True):
        assert await user_of(behind)


async def test_proxy__a_forged_host_does_not_help(cookie):
    """Without the setting, whoever can set X-Forwarded-Host still cannot choose what counts as this site."""
    with pytest.raises(OriginRefused):
        await identify(
            scope(cookie=cookie, origin="https://evil.example", headers=[("x-forwarded-host", "evil.example")])
        )


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example"])
async def test_tokens_and_tickets__need_no_origin(origin):
    text, _ = await db.read(tokens.issue, "auth0|bot")
    assert await user_of(scope(bearer=text, origin=origin)) == "auth0|bot"
    assert await user_of(scope(subprotocols=["netra.v1", f"bearer.{text}"], origin=origin)) == "auth0|bot"
    ticket, _ = await issue_ticket(await identify(scope(bearer=text)))
    assert await user_of(scope(query=f"ticket={ticket}", origin=origin)) == "auth0|bot"


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example"])
async def test_nothing__is_unauthenticated_rather_than_forbidden(origin):
    """A browser can tell 4401 from a network fault; there is no cookie here to protect."""
    with pytest.raises(Unauthenticated) as caught:
        await identify(scope(origin=origin, headers=[("cookie", "csrftoken=abc")]))
    assert caught.value.code == "unauthenticated"


async def test_log__names_a_refused_origin_and_the_setting_once(cookie, caplog, monkeypatch):
    monkeypatch.setattr(origin, "_refused", LogBudget(subjects=5))
    for name in ("https://evil.example", "https://evil.example", "https://other.example\x1b[31m", ""):
        with pytest.raises(OriginRefused):
            await identify(scope(cookie=cookie, origin=name))
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 3
    assert "https://evil.example" in lines[0]
    assert "NETRA_ALLOWED_ORIGINS" in lines[0]
    assert "https://other.example\\x1b[31m" in lines[1]
    assert "no origin" in lines[2]
    for number in range(50):
        with pytest.raises(OriginRefused):
            await identify(scope(cookie=cookie, origin=f"https://{number}.example"))
    assert len(caplog.records) <= 7  # made-up names share a line


async def test_log__names_a_refused_host_and_the_setting(cookie, caplog, monkeypatch):
    monkeypatch.setattr(origin, "_refused", LogBudget())
    with pytest.raises(OriginRefused):
        await identify(scope(host="unknown.example", cookie=cookie, origin="https://unknown.example"))
    (line,) = [record.getMessage() for record in caplog.records]
    assert "unknown.example" in line
    assert "ALLOWED_HOSTS" in line

"""People log in: with local accounts, and at a real OpenID Connect provider; then their sockets are theirs."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import websockets

from security.issuer import DISCOVERY, Issuer, hang, http
from security.visitor import Visitor
from servers.fixtures import TEST_KEY, StartServer
from servers.netra import Installation, NetraServer

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def start_shared(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path
) -> Iterator[Callable[..., NetraServer]]:
    """Function that starts a server which tests of this module share."""
    started: list[NetraServer] = []

    def start(**env: str) -> NetraServer:
        folder = tmp_path_factory.mktemp("log-in") / "data"
        shutil.copytree(migrated_sqlite, folder)
        server = Installation(folder, {"SECRET_KEY": TEST_KEY, **env}).server()
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.end()


@pytest.fixture(scope="module")
def server(start_shared: Callable[..., NetraServer], provider) -> NetraServer:
    """Where people log in through the provider."""
    return start_shared(SOCIALACCOUNT_PROVIDERS=provider.login_setting)


async def run(server: NetraServer, **connect) -> str:
    """Run the test agent; the last event, or the code of the error."""
    async with websockets.connect(server.ws_url, proxy=None, **connect) as socket:
        with suppress(websockets.ConnectionClosed):  # refused already; why, is in the frame that comes
            await socket.send(json.dumps({"action": "start_agent", "agent_type": "test"}))
        while True:
            frame = json.loads(await socket.recv())
            if frame["event_type"] in ("agent_completed", "agent_failed", "error"):
                return str(frame.get("code", frame["event_type"]))


def whoami(server: NetraServer, session: str) -> str:
    """The Django user of a session: primary key, name, and how it logs in."""
    code = (
        "from django.contrib.sessions.models import Session; from django.contrib.auth.models import User;"
        f"u = User.objects.get(pk=Session.objects.get(pk={session!r}).get_decoded()['_auth_user_id']);"
        "print(u.username, u.has_usable_password(), u.is_staff, [a.uid for a in u.socialaccount_set.all()])"
    )
    return server.installation.manage("shell", "--no-imports", "-c", code).strip()


async def test_provider__a_whole_log_in_then_a_run_in_that_session(server, provider):
    with Visitor(server.url) as ann:
        ended = ann.log_in_through("corp", "auth0|5f7c8ec7c33c6c004bbafe82")
        assert ended.url == f"{server.url}/"
        assert ended.status_code == 200
        assert whoami(server, ann.session) == "ann False False ['auth0|5f7c8ec7c33c6c004bbafe82']"
        assert await run(server, additional_headers=ann.socket_headers) == "agent_completed"
        with pytest.raises(websockets.InvalidStatus):
            await run(server, additional_headers={**ann.socket_headers, "Origin": "https://evil.example"})


def test_provider__that_is_ill_is_no_error_of_ours(start_shared):
    """503 with a way back, one line in the log, and in bounded time."""
    ill = Issuer()
    ill.start()
    provider = {"provider_id": "corp", "name": "Corp", "client_id": "netra", "secret": "s"}
    setting = {**provider, "settings": {"server_url": ill.url}}
    server = start_shared(
        SOCIALACCOUNT_PROVIDERS=json.dumps({"openid_connect": {"APPS": [setting]}}), NETRA_OIDC_TIMEOUT="2"
    )
    whole = http(json.dumps({"issuer": ill.url}).encode())

    def drip(connection):
        for byte in whole:
            connection.sendall(bytes([byte]))
            time.sleep(0.3)

    try:
        for answer in (b"no json", 500, b"[]", b"{}", hang, drip, lambda connection: connection.sendall(whole[:-9])):
            ill.answers[DISCOVERY] = answer
            with Visitor(server.url) as ann:
                began = time.monotonic()
                page = ann.submit("/accounts/login/", "/accounts/oidc/corp/login/")
                assert page.status_code == 503, answer
                assert "Try again in a moment" in page.text
                assert page.headers["Retry-After"]
                assert time.monotonic() - began < 20
        assert ill.asked[DISCOVERY] == 7
        assert server.output().count("because of the provider") == 1
        assert "Traceback" not in server.output()
    finally:
        ill.stop()


def test_provider__a_second_log_in_is_the_same_user(server):
    users = set()
    for _ in range(2):
        with Visitor(server.url) as ann:
            ann.log_in_through("corp", "auth0|5f7c8ec7c33c6c004bbafe82")
            users.add(whoami(server, ann.session))
    assert len(users) == 1


def test_provider__a_name_or_address_taken_here_is_not_taken_over(server):
    """What a provider says about somebody's name or mail address makes nobody an existing local user."""
    code = (
        "from django.contrib.auth.models import User;"
        "User.objects.create_superuser('root', email='root@example.com', password='x')"
    )
    server.installation.manage("shell", "--no-imports", "-c", code)
    with Visitor(server.url) as stranger:
        ended = stranger.log_in_through("corp", "105945141827451681156")
        if ended.url.endswith("/3rdparty/signup/"):  # asked for a name of their own
            stranger.submit("/accounts/3rdparty/signup/", username="root2", email="")
        name, _, staff, _ = whoami(server, stranger.session).split(" ", 3)
    assert name != "root"
    assert staff == "False"


def test_provider__who_may_sign_up(start_server, provider):
    env = {"SOCIALACCOUNT_PROVIDERS": provider.login_setting, "NETRA_SIGN_UP": "closed"}
    server = start_server(env=env)
    with Visitor(server.url) as stranger:
        assert "closed" in stranger.log_in_through("corp", "auth0|5f7c8ec7c33c6c004bbafe82").text.lower()
        assert stranger.get("/").url != f"{server.url}/"


def test_provider__its_answer_to_another_browser_is_refused(server):
    """`state` ties the answer to who asked: nobody is logged in as the sender of a link."""
    with Visitor(server.url) as ann, Visitor(server.url) as victim:
        action = "/accounts/oidc/corp/login/?process=login"
        asked = ann.submit("/accounts/login/", action)
        answered = ann.web.post(asked.url, data={"sub": "105945141827451681156"}, allow_redirects=False, timeout=30)
        victim.get(answered.headers["Location"])
        assert victim.get("/").url != f"{server.url}/"


def test_provider__log_in_needs_a_form_of_ours(server, provider):
    """Neither a link nor another site's form starts a log-in."""
    with Visitor(server.url) as ann:
        assert ann.get("/accounts/oidc/corp/login/?process=login").url.startswith(server.url)
        refused = ann.web.post(f"{server.url}/accounts/oidc/corp/login/", data={}, timeout=30)
        assert refused.status_code == 403


async def test_bearer__an_id_token_of_the_provider_opens_a_socket(start_server, provider):
    issuers = {"corp": {"issuer": provider.url, "audience": "my-script"}}
    server = start_server(env={"NETRA_OIDC_ISSUERS": json.dumps(issuers)})
    token = provider.id_token("auth0|5f7c", "my-script")
    assert await run(server, additional_headers={"Authorization": f"Bearer {token}"}) == "agent_completed"
    assert await run(server, subprotocols=["netra.v1", f"bearer.{token}"]) == "agent_completed"
    foreign = provider.id_token("auth0|5f7c", "somebody-else")
    assert await run(server, additional_headers={"Authorization": f"Bearer {foreign}"}) == "unauthenticated"
    for path in (server.log, provider.log):
        assert token not in path.read_text()


# --- local accounts


def with_accounts(server: NetraServer) -> NetraServer:
    server.installation.session("ann", password=PASSWORD)
    server.installation.session("ada", password=PASSWORD, admin=True)
    return server


@pytest.fixture(scope="module")
def local(start_shared: Callable[..., NetraServer]) -> NetraServer:
    """Where nobody gets a password wrong: attempts are counted."""
    return with_accounts(start_shared())


@pytest.fixture
def guessed(start_server: StartServer) -> NetraServer:
    return with_accounts(start_server())


async def test_local__log_in_run_log_out(local):
    with Visitor(local.url) as ann:
        assert ann.get("/").url.startswith(f"{local.url}/accounts/login/")
        assert ann.log_in("ann", PASSWORD).url == f"{local.url}/"
        assert await run(local, additional_headers=ann.socket_headers) == "agent_completed"
        headers = ann.socket_headers
        ann.submit("/accounts/logout/")
        assert ann.get("/").url.startswith(f"{local.url}/accounts/login/")
        assert await run(local, additional_headers=headers) == "unauthenticated"


def test_local__wrong_password_is_told_and_counted(guessed):
    """Five per account in five minutes; then even the right one has to wait. Another account is not touched."""
    with Visitor(guessed.url) as ann:
        for _ in range(5):
            answer = ann.log_in("ann", "wrong")
            assert answer.status_code == 200
            assert 'role="alert"' in answer.text
        answer = ann.log_in("ann", PASSWORD)
        assert "Too many" in answer.text
        assert not ann.session
        assert ann.log_in("ada", PASSWORD).url == f"{guessed.url}/"


def test_local__attempts_are_counted_over_all_processes(start_server, guessed):
    """And over all names of the server: whoever guesses passwords chooses the `Host` header."""
    second = start_server(installation=guessed.installation)
    for site in [guessed.url, second.url] * 3:
        with Visitor(site) as ann:
            answer = ann.log_in("ann", "wrong")
    assert "Too many" in answer.text


def test_local__the_admin_has_no_way_around(local):
    with Visitor(local.url) as ada:
        assert ada.get("/admin/").url.startswith(f"{local.url}/accounts/login/")
        assert ada.submit("/accounts/login/?next=/admin/", login="ada", password=PASSWORD).url == f"{local.url}/admin/"
    with Visitor(local.url) as ann:
        ann.log_in("ann", PASSWORD)
        assert ann.get("/admin/").status_code == 403


@pytest.mark.parametrize(
    "where", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"]
)
def test_local__log_in_leads_to_no_other_site(local, where):
    with Visitor(local.url) as ann:
        ended = ann.submit(f"/accounts/login/?next={where}", login="ann", password=PASSWORD)
        assert ended.url == f"{local.url}/"


def test_local__forms_need_their_token(local):
    with Visitor(local.url) as ann:
        for page in ("/accounts/login/", "/accounts/logout/", "/accounts/signup/", "/accounts/password/change/"):
            assert ann.web.post(f"{local.url}{page}", data={"login": "ann"}, timeout=30).status_code == 403


def test_local__no_page_sends_mail_or_makes_accounts(local):
    with Visitor(local.url) as stranger:
        for page in ("password/reset/", "email/", "login/code/", "confirm-email/x/", "password/reset/key/1-x/"):
            assert stranger.get(f"/accounts/{page}").status_code == 404
        assert "closed" in stranger.get("/accounts/signup/").text.lower()


def test_local__every_page_keeps_the_strict_policy(local):
    with Visitor(local.url) as ann:
        ann.log_in("ann", PASSWORD)
        pages = ("login/", "logout/", "signup/", "password/change/", "3rdparty/", "3rdparty/login/error/", "inactive/")
        for page in pages:
            answer = ann.get(f"/accounts/{page}")
            assert answer.status_code in (200, 401), page
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "<script>" not in answer.text
            assert " style=" not in answer.text
            assert " onclick=" not in answer.text

"""Who may call the API: tokens, sessions with their CSRF token, nobody else; tickets and tokens made there."""

import json
from datetime import timedelta

import pytest
import requests
import websockets
from django.contrib.auth.models import User
from django.utils import timezone

from integration.netra.api.api_caller import Caller, problem
from servers.netra import NetraServer
from test_framework.gateway import issue_token
from websocket_core.auth import tokens
from websocket_core.database import db
from websocket_core.models import AccessToken

pytestmark = pytest.mark.django_db(transaction=True)


async def test_nobody__is_told_to_log_in():
    answer = await Caller().send("GET", "/me")
    problem(answer, 401, "unauthenticated")
    assert answer["WWW-Authenticate"] == "Bearer"


async def test_token__is_its_user():
    text, token = await db.read(tokens.issue, "auth0|ann", timedelta(hours=1))
    me = await Caller(text).get("/me")
    assert (me["user_id"], me["credential"]) == ("auth0|ann", "token")
    assert token.expires_at is not None
    assert me["expires_at"] == token.expires_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def test_bad_token__refused_even_beside_a_good_session():
    page = await Caller.page_of("ann")
    for bad in ("nonsense", "netra_" + "x" * 43, "a.b.c", "x" * 20_000, ""):
        answer = await page.send("GET", "/me", authorization=f"Bearer {bad}")
        problem(answer, 401, "unauthenticated")


async def test_expired_and_revoked_tokens__refused_by_name():
    expired = await issue_token("ann")
    await AccessToken.objects.aupdate(expires_at=timezone.now() - timedelta(seconds=1))
    problem(await Caller(expired).send("GET", "/me"), 401, "token_expired")
    text, token = await db.read(tokens.issue, "ann")
    await db.read(tokens.revoke, token)
    problem(await Caller(text).send("GET", "/me"), 401, "session_revoked")


async def test_session__is_its_user_and_ends_with_the_account():
    page = await Caller.page_of("ann")
    user = await User.objects.aget(username="ann")
    assert (await page.get("/me"))["user_id"] == str(user.pk)
    await User.objects.aupdate(is_active=False)
    problem(await page.send("GET", "/me"), 401, "session_revoked")


async def test_session_without_csrf_token__changes_nothing():
    page, whole = await Caller.page_of("ann", csrf=False), await Caller.page_of("ann")
    for method, path, body in (
        ("POST", "/tickets", None),
        ("POST", "/tokens", {}),
        ("POST", "/runs", {"agent_type": "test"}),
        ("PATCH", "/threads/t", {"title": "x"}),
        ("DELETE", "/threads/t", None),
        ("DELETE", "/tokens/1", None),
        ("POST", "/runs/r/stop", {}),
        ("POST", "/runs/r/approvals/a", {"approved": True}),
    ):
        problem(await page.send(method, path, body), 403, "csrf_failed")
        foreign = await whole.send(method, path, body, origin="https://evil.example")
        problem(foreign, 403, "csrf_failed")
        assert (await whole.send(method, path, body)).status_code != 403, path


async def test_form_of_another_site__changes_nothing():
    """What a page elsewhere can send without asking: a form, and text."""
    page = await Caller.page_of("ann", csrf=False)
    body = json.dumps({"agent_type": "test"}).encode()
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        problem(await page.send("POST", "/runs", body, content_type=content_type), 403, "csrf_failed")


async def test_ticket__opens_one_socket(netra_server: NetraServer):
    server = netra_server
    headers = {"Authorization": f"Bearer {server.installation.token('ann')}"}
    answer = requests.post(f"{server.url}/api/tickets", headers=headers, timeout=30)  # noqa: ASYNC210 - another process
    assert answer.status_code == 201
    assert answer.json() == {"ticket": answer.json()["ticket"], "expires_in": 30}
    url = f"{server.ws_url}?ticket={answer.json()['ticket']}"
    async with websockets.connect(url, proxy=None) as socket:
        await socket.send('{"action": "ping", "payload": 7}')
        assert json.loads(await socket.recv())["payload"] == 7
    async with websockets.connect(url, proxy=None) as socket:
        assert json.loads(await socket.recv())["code"] == "unauthenticated"
        with pytest.raises(websockets.ConnectionClosedError):
            await socket.recv()
        assert socket.close_code == 4401
    refused = requests.get(f"{server.url}/api/me?ticket={answer.json()['ticket']}", timeout=30)  # noqa: ASYNC210
    assert refused.status_code == 401


async def test_tokens__are_made_in_a_session_shown_once_and_end_when_deleted():
    page = await Caller.page_of("ann")
    made = await page.post("/tokens", {"label": "laptop", "ttl": 3600}, 201)
    script = Caller(made["token"])
    assert (await script.get("/me"))["user_id"] == (await page.get("/me"))["user_id"]
    listed = (await page.get("/tokens"))["tokens"]
    assert listed == [{name: made[name] for name in ("id", "label", "created_at", "expires_at", "revoked_at")}]
    assert listed[0]["label"] == "laptop"
    assert made["token"] not in json.dumps(listed)
    token = await AccessToken.objects.aget(pk=made["id"])
    assert made["token"] not in repr(token.__dict__)
    assert token.expires_at is not None
    assert token.expires_at - token.created_at == timedelta(hours=1)
    assert (await page.send("DELETE", f"/tokens/{made['id']}")).status_code == 204
    problem(await script.send("GET", "/me"), 401, "session_revoked")
    assert (await page.get("/tokens"))["tokens"][0]["revoked_at"]


async def test_tokens__are_listed_in_pages_so_that_none_is_out_of_reach():
    page = await Caller.page_of("ann")
    made = [(await page.post("/tokens", {"label": str(number)}, 201))["id"] for number in range(5)]
    await issue_token("bob")
    seen: list[int] = []
    before: str | None = ""
    while before is not None:
        listed = await page.get(f"/tokens?limit=2{before}")
        seen += [token["id"] for token in listed["tokens"]]
        before = listed["next_before"] and f"&before={listed['next_before']}"
    assert seen == made[::-1]
    for bad in ("0", "x", str(2**63), ""):
        problem(await page.send("GET", f"/tokens?before={bad}"), 422, "invalid_action")


async def test_tokens__as_many_as_one_may_have(settings):
    """Only valid ones count; who is full makes room by revoking one."""
    settings.NETRA_TOKENS_PER_USER = 2
    page = await Caller.page_of("ann")
    first, _ = [await page.post("/tokens", {}, 201) for _ in range(2)]
    problem(await page.send("POST", "/tokens", {}), 429, "token_limit")
    await (await Caller.page_of("bob")).post("/tokens", {}, 201)
    assert (await page.send("DELETE", f"/tokens/{first['id']}")).status_code == 204
    await page.post("/tokens", {}, 201)
    problem(await page.send("POST", "/tokens", {}), 429, "token_limit")
    await AccessToken.objects.aupdate(expires_at=timezone.now() - timedelta(seconds=1))
    await page.post("/tokens", {}, 201)


async def test_tokens__that_have_ended_do_not_fill_the_table(monkeypatch):
    monkeypatch.setattr(tokens, "ENDED_KEPT", 3)
    page, other = await Caller.page_of("ann"), await Caller.page_of("bob")
    ids = []
    for caller in (page, other):
        for _ in range(8):
            made = await caller.post("/tokens", {}, 201)
            assert (await caller.send("DELETE", f"/tokens/{made['id']}")).status_code == 204
            ids.append(made["id"])
        kept = await caller.post("/tokens", {}, 201)
    listed = [token["id"] for token in (await other.get("/tokens"))["tokens"]]
    assert listed == [kept["id"], *ids[-1:-4:-1]]
    assert len((await page.get("/tokens"))["tokens"]) == 4


async def test_tokens__cannot_be_made_with_a_token():
    script = await Caller.of("ann")
    problem(await script.send("POST", "/tokens", {}), 403, "session_required")
    assert await AccessToken.objects.acount() == 1


async def test_tokens__bad_wishes_are_refused():
    page = await Caller.page_of("ann")
    for body in ({"ttl": 59}, {"ttl": "3600"}, {"ttl": 10**12}, {"label": "x" * 101}, {"label": 3}):
        found = problem(await page.send("POST", "/tokens", body), 422, "invalid_action")
        assert found["field"] == next(iter(body))
    assert not await AccessToken.objects.aexists()

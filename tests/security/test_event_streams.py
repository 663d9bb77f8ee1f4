"""Who may open an event stream, what pages of other sites learn, and that a stream ends with its credential."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.middleware.csrf import _get_new_csrf_string

from integration.netra.api.api_caller import Caller
from integration.netra.streams.stream_caller import HOST, Stream, bearer, revoke
from security.fixtures import log_in
from test_framework.gateway import issue_token
from test_framework.ssot.factories import GITHUB, GOOGLE
from websocket_core.database import db
from websocket_core.models import AccessToken

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("join")]

PATH = "/threads/t/events"
OWN = f"http://{HOST}"
FOREIGN = ["https://evil.example", "null", "", f"https://{HOST}", f"http://{HOST}:81", f"{OWN},{OWN}"]
METHODS = ["GET", "POST", "PATCH", "DELETE", "PUT"]
EXPOSED = (
    "Location, Content-Location, Retry-After, "
    "X-Vercel-AI-UI-Message-Stream, X-Workflow-Run-Id, X-Workflow-Stream-Tail-Index"
)


@pytest.fixture
async def cookie() -> tuple[str, str]:
    user = await User.objects.acreate(username="ann")
    return "cookie", f"{django_settings.SESSION_COOKIE_NAME}={await db.read(log_in, user)}"


@pytest.fixture(autouse=True)
def origins(settings: Any) -> None:
    settings.NETRA_ALLOWED_ORIGINS = ("https://app.example",)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("origin", FOREIGN)
async def test_cookie__of_a_foreign_page_is_refused(cookie: Any, origin: str, method: str) -> None:
    async with Stream(PATH, method=method, headers=[cookie, ("origin", origin)]) as stream:
        stream.problem(403, "csrf_failed")
        assert not [name for name in stream.headers if name.startswith("access-control")]


@pytest.mark.parametrize("origin", [OWN, "https://app.example"])
async def test_cookie__of_an_allowed_page_is_let_in(cookie: Any, origin: str) -> None:
    async with Stream(PATH, headers=[cookie, ("origin", origin)]) as stream:
        assert stream.status == 200
    async with Stream(PATH, method="POST", headers=[cookie, ("origin", origin)]) as stream:
        stream.problem(405, "method_not_allowed")
        assert stream.headers["allow"] == "GET"


async def test_cookie__without_origin_opens_get_alone(cookie: Any) -> None:
    async with Stream(PATH, headers=[cookie]) as stream:
        assert stream.status == 200
    for method in METHODS[1:]:
        async with Stream(PATH, method=method, headers=[cookie]) as stream:
            stream.problem(403, "csrf_failed")


async def test_cookie__csrf_token_stands_in_for_a_missing_origin(cookie: Any) -> None:
    secret = _get_new_csrf_string()
    both = ("cookie", f"{cookie[1]}; {django_settings.CSRF_COOKIE_NAME}={secret}")
    async with Stream(PATH, method="POST", headers=[both, ("x-csrftoken", secret)]) as stream:
        stream.problem(405, "method_not_allowed")
    async with Stream(PATH, method="POST", headers=[both, ("x-csrftoken", _get_new_csrf_string())]) as stream:
        stream.problem(403, "csrf_failed")
    foreign = [both, ("x-csrftoken", secret), ("origin", "https://evil.example")]
    async with Stream(PATH, method="POST", headers=foreign) as stream:
        stream.problem(403, "csrf_failed")


async def test_bearer__counts_first_and_needs_no_origin(cookie: Any) -> None:
    evil = ("origin", "https://evil.example")
    async with Stream(PATH, headers=[*await bearer(GOOGLE), evil]) as stream:
        assert stream.status == 200
    async with Stream(PATH, headers=[("authorization", "Bearer netra_bad"), cookie, ("origin", OWN)]) as stream:
        stream.problem(401, "unauthenticated")
        assert stream.headers["www-authenticate"] == "Bearer"
    async with Stream(PATH, headers=[]) as stream:
        stream.problem(401, "unauthenticated")
    expired = await bearer(GITHUB)
    await AccessToken.objects.filter(user_id=GITHUB).aupdate(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    async with Stream(PATH, headers=expired) as stream:
        stream.problem(401, "token_expired")


async def test_ticket__opens_no_stream() -> None:
    caller = await Caller.of(GOOGLE)
    ticket = (await caller.post("/tickets", status=201))["ticket"]
    async with Stream(f"{PATH}?ticket={ticket}") as stream:
        stream.problem(401, "unauthenticated")


async def test_preflight() -> None:
    asked = [
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "authorization, X-Custom, x-api-key, cookie, x-bad\u00e9"),
    ]
    async with Stream(PATH, method="OPTIONS", headers=[("origin", "https://app.example"), *asked]) as answer:
        await answer.until(lambda: answer.is_complete)
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers == {
            "access-control-allow-origin": "https://app.example",
            "access-control-allow-credentials": "true",
            "vary": "Origin",
            "access-control-allow-methods": "GET, POST, PATCH, DELETE",
            "access-control-allow-headers": "authorization, content-type, accept, last-event-id, x-api-key, x-custom",
            "access-control-max-age": "600",
        }
    for origin in (OWN, *FOREIGN):
        async with Stream(PATH, method="OPTIONS", headers=[("origin", origin), *asked]) as answer:
            await answer.until(lambda: answer.is_complete)
            assert not [name for name in answer.headers if name.lower().startswith("access-control")]


async def test_answers__show_themselves_to_allowed_pages_alone() -> None:
    header = await bearer(GOOGLE)
    for headers in (header, []):  # a stream, and a refusal
        async with Stream(PATH, headers=[*headers, ("origin", "https://app.example")]) as stream:
            assert stream.headers["access-control-allow-origin"] == "https://app.example"
            assert stream.headers["access-control-allow-credentials"] == "true"
            assert stream.headers["access-control-expose-headers"] == EXPOSED
            assert stream.headers["vary"] == "Origin"
        for origin in (OWN, *FOREIGN):
            async with Stream(PATH, headers=[*headers, ("origin", origin)]) as stream:
                assert not [name for name in stream.headers if name.startswith("access-control")]


async def test_another_users_thread__is_one_that_never_existed() -> None:
    ann, bob = await Caller.of(GOOGLE), await bearer(GITHUB)
    await ann.run(thread_id="t", input={"marker": "what-only-ann-may-read"})
    answers = []
    for thread_id in ("t", "made-up"):
        async with Stream(f"/threads/{thread_id}/events?after=1", headers=bob) as stream:
            found = stream.problem(422, "invalid_cursor")
            answers.append(stream.body.replace(f'"{thread_id}"'.encode(), b"<thread>"))
            assert found["last_seq"] == 0
    assert answers[0] == answers[1]
    async with Stream("/threads/t/events", headers=bob) as stream:
        await ann.run(thread_id="t", input={"marker": "what-only-ann-may-read"})
        own = await Caller.of(GITHUB)
        run = await own.run(thread_id="t", input={"marker": "bob"})
        await stream.until_seq(1)
        assert run["run_id"] in stream.body.decode()
        assert b"only-ann" not in stream.body


async def test_revoked_token__resets_the_stream() -> None:
    header = await bearer(GOOGLE)
    async with Stream(PATH, headers=header) as stream, Stream(PATH, headers=await bearer(GITHUB)) as other:
        await revoke(header)
        await stream.end()
        assert stream.is_reset
        assert not other.is_reset


async def test_expired_token__resets_the_stream() -> None:
    token = await issue_token(GOOGLE, timedelta(seconds=2))
    async with Stream(PATH, headers=[("authorization", f"Bearer {token}")]) as stream:
        assert stream.status == 200
        await stream.end()
        assert stream.is_reset


async def test_calls__are_charged_as_actions(settings: Any) -> None:
    settings.NETRA_ACTIONS_PER_SECOND, settings.NETRA_ACTIONS_BURST = 0.01, 2
    header = await bearer(GOOGLE)
    for _ in range(2):
        async with Stream(PATH, headers=header) as stream:
            assert stream.status == 200
    async with Stream(PATH, headers=header) as stream:
        stream.problem(429, "rate_limited")
        assert stream.headers["retry-after"]

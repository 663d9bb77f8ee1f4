"""Calls the HTTP API in the test's own event loop, as a script with a token or as a page with a session."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.middleware.csrf import _get_new_csrf_string
from django.test import AsyncClient

from security.fixtures import log_in
from test_framework.gateway import issue_token
from websocket_core.database import db

PATIENCE = 20.0


class Caller:
    """One user's way into the API.

    Args:
        token: a bearer token; without one, whatever cookies `web` has.
    """

    def __init__(self, token: str | None = None) -> None:
        self.web = AsyncClient(enforce_csrf_checks=True)
        self.headers: dict[str, str] = {}
        if token:
            self.headers["authorization"] = f"Bearer {token}"

    @classmethod
    async def of(cls, user_id: str) -> Caller:
        """A script with a token of this user, who needs no account."""
        return cls(await issue_token(user_id))

    @classmethod
    async def page_of(cls, username: str, *, csrf: bool = True) -> Caller:
        """A page of the site, whose user has logged in."""
        user = await db.read(_user, username)
        caller = cls()
        caller.web.cookies[settings.SESSION_COOKIE_NAME] = await db.read(log_in, user)
        if csrf:
            secret = _get_new_csrf_string()
            caller.web.cookies[settings.CSRF_COOKIE_NAME] = secret
            caller.headers["x-csrftoken"] = secret
        return caller

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request below `/api`; `body` is sent as JSON, text and bytes as they are."""
        data = b"" if body is None else body if isinstance(body, bytes) else msgspec.json.encode(body)
        content_type = headers.pop("content_type", "application/json")
        given = {**self.headers, **headers}
        return await self.web.generic(method, f"/api{path}", data, content_type=content_type, headers=given)

    async def get(self, path: str, status: int = 200) -> Any:
        """The decoded answer; it must have this status."""
        return _decoded(await self.send("GET", path), status)

    async def post(self, path: str, body: Any = None, status: int = 200) -> Any:
        """The decoded answer; it must have this status."""
        return _decoded(await self.send("POST", path, body), status)

    async def run(self, agent_type: str = "test", **fields: Any) -> dict[str, Any]:
        """Start a run and wait until it is over: the run."""
        started = await self.post("/runs", {"agent_type": agent_type, **fields}, 201)
        return await self.until(started["run_id"], "completed", "failed", "cancelled")

    async def until(self, run_id: str, *statuses: str) -> dict[str, Any]:
        """The run, as soon as it has one of these statuses."""
        async with asyncio.timeout(PATIENCE):
            while (run := await self.get(f"/runs/{run_id}"))["status"] not in statuses:  # noqa: ASYNC110
                await asyncio.sleep(0.02)  # HTTP has nothing to wait for
        found: dict[str, Any] = run
        return found


def _user(username: str) -> User:
    return User.objects.filter(username=username).first() or User.objects.create_user(username)


def _decoded(response: HttpResponse, status: int) -> Any:
    assert response.status_code == status, (response.status_code, response.content)
    return msgspec.json.decode(response.content) if response.content else None


def problem(response: HttpResponse, status: int, code: str) -> dict[str, Any]:
    """The problem document of an answer, which must have this status and code."""
    assert response.status_code == status, (response.status_code, response.content)
    assert response["Content-Type"] == "application/problem+json"
    found: dict[str, Any] = msgspec.json.decode(response.content)
    assert (found["status"], found["code"]) == (status, code)
    assert found["type"] == "about:blank"
    assert found["title"]
    assert found["detail"]
    return found

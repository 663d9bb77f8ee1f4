"""Opens event streams in the test's own event loop, as a server hands requests to the application."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from test_framework.gateway import issue_token
from websocket_core.auth import tokens
from websocket_core.database import db

PATIENCE = 20.0
HOST = "testserver"


class Stream:
    """One request, and what has come of its answer.

    Args:
        path: below `/api`, with its query.
        headers: of the request; `accept: text/event-stream` and `host` are there where not given.
    """

    def __init__(self, path: str, *, method: str = "GET", headers: Sequence[tuple[str, str]] = ()) -> None:
        parts = urlsplit(f"/api{path}")
        given = {"host": HOST, "accept": "text/event-stream"} | dict(headers)
        self.scope: dict[str, Any] = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": parts.path,
            "query_string": parts.query.encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in given.items()],
            "server": (HOST, 80),
            "client": ("127.0.0.1", 1),
        }
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.is_complete = False
        self.may_send = asyncio.Event()  # cleared: the client reads nothing
        self.may_send.set()
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._inbox.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        self._news = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Stream:
        from netra.project.asgi import application

        self.task = asyncio.create_task(application(self.scope, self._inbox.get, self._send))
        await self.until(lambda: bool(self.status))
        return self

    async def __aexit__(self, *error: object) -> None:
        self.leave()
        await self.end()

    def leave(self) -> None:
        """Be a client that is gone."""
        self.may_send.set()
        self._inbox.put_nowait({"type": "http.disconnect"})

    async def end(self) -> None:
        """Wait until the application has returned."""
        assert self.task is not None
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait({self.task})

    @property
    def is_reset(self) -> bool:
        """Whether the application is over and left its response incomplete."""
        return self.task is not None and self.task.done() and not self.is_complete

    async def _send(self, message: dict[str, Any]) -> None:
        await self.may_send.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message.get("body", b"")
            self.is_complete = not message.get("more_body", False)
        self._news.set()

    async def until(self, condition: Any) -> None:
        """Wait until this is so after something was sent, or until the application has returned."""
        assert self.task is not None
        async with asyncio.timeout(PATIENCE):
            while not condition() and not self.task.done():
                self._news.clear()
                news = asyncio.create_task(self._news.wait())
                await asyncio.wait({news, self.task}, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
        assert condition() or self.is_complete, (self.status, self.body, self.task.exception())

    @property
    def events(self) -> list[tuple[int, str]]:
        """The events that came: id and data."""
        found = []
        for block in self.body.decode().split("\n\n"):
            if block.startswith("id: "):
                first, second = block.split("\n")
                found.append((int(first.removeprefix("id: ")), second.removeprefix("data: ")))
        return found

    async def until_seq(self, seq: int) -> list[str]:
        """Wait for the event with this number. Returns the frames that came."""
        await self.until(lambda: any(each == seq for each, _ in self.events))
        return [data for _, data in self.events]

    def problem(self, status: int, code: str) -> dict[str, Any]:
        """The refusal, which must have this status and code."""
        assert self.status == status, (self.status, self.body)
        assert self.headers["content-type"] == "application/json"
        found: dict[str, Any] = json.loads(self.body)
        assert (found["status"], found["code"]) == (status, code)
        assert found["message"] == found["detail"] != ""
        assert self.is_complete
        return found


async def bearer(user_id: str) -> list[tuple[str, str]]:
    """The header of a script of this user."""
    return [("authorization", f"Bearer {await issue_token(user_id)}")]


async def revoke(header: list[tuple[str, str]]) -> None:
    """Revoke the token of a header."""
    text = header[0][1].removeprefix("Bearer ")
    identity = await db.read(tokens.identify_first_party, text)
    from websocket_core.models import AccessToken

    token = await AccessToken.objects.filter(user_id=identity.user_id).afirst()
    assert token is not None
    from netra.api.writes import revoke_token

    await db.write(revoke_token, identity.user_id, token.pk)

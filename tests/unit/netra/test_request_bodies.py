"""Bodies of the API are refused by their announced and by their counted length, whatever the ASGI server."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from netra.serving.request_bodies import SLACK, BodyLimit, body_limit
from websocket_core.conf import conf

LIMIT = 1000


class Exchange:
    """One request to an application that reads all of it and answers with its length."""

    def __init__(
        self, path: str, chunks: Iterable[bytes], *, announced: str | None = None, root_path: str = ""
    ) -> None:
        self.chunks = list(chunks)
        self.read = 0
        self.asked = False
        self.sent: list[dict[str, Any]] = []
        headers = [] if announced is None else [(b"content-length", announced.encode())]
        self.scope = {"type": "http", "path": path, "root_path": root_path, "headers": headers}

    async def receive(self) -> dict[str, Any]:
        self.read += 1
        body = self.chunks[self.read - 1] if self.read <= len(self.chunks) else b""
        return {"type": "http.request", "body": body, "more_body": self.read < len(self.chunks)}

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked = True
        length, more = 0, True
        while more:
            message = await receive()
            length, more = length + len(message["body"]), message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(length).encode()})

    async def run(self) -> tuple[int, Any]:
        limit = BodyLimit(self.application, lambda path: LIMIT if path.startswith("/api/") else None)
        await limit(self.scope, self.receive, self.send)
        start, body = self.sent
        return start["status"], json.loads(body["body"])


async def test_announced__is_refused_unread() -> None:
    exchange = Exchange("/api/runs", [b"x" * 1001], announced="1001")
    status, answer = await exchange.run()
    assert (status, answer["code"], answer["status"]) == (413, "too_large", 413)
    assert (exchange.read, exchange.asked) == (0, False)


@pytest.mark.parametrize("announced", ["9" * 5000, "1e3", "-5", "x", "\u00b2"])
async def test_announced__what_is_no_number_or_a_huge_one__is_refused_unread(announced: str) -> None:
    exchange = Exchange("/api/runs", [b""], announced=announced)
    assert (await exchange.run())[0] == 413
    assert exchange.read == 0


async def test_counted__is_refused_as_soon_as_it_is_too_much() -> None:
    exchange = Exchange("/api/runs", [b"x" * 400] * 1000)
    assert (await exchange.run())[0] == 413
    assert exchange.read == 3


async def test_counted__also_when_less_was_announced() -> None:
    assert (await Exchange("/api/runs", [b"x" * 400] * 1000, announced="5").run())[0] == 413


@pytest.mark.parametrize("sizes", [[], [1000], [400, 400, 200]])
async def test_as_much_as_is_allowed__reaches_the_application(sizes: list[int]) -> None:
    exchange = Exchange("/api/runs", [b"x" * size for size in sizes], announced=str(sum(sizes)))
    assert await exchange.run() == (200, sum(sizes))


async def test_other_addresses__are_left_alone() -> None:
    assert await Exchange("/admin/", [b"x" * 5000], announced="5000").run() == (200, 5000)


async def test_below_a_sub_path() -> None:
    assert (await Exchange("/netra/api/runs", [b"x" * 5000], root_path="/netra").run())[0] == 413


def test_limit__an_event_and_what_is_around_it() -> None:
    assert body_limit("/api/runs") == conf.MAX_EVENT_BYTES + SLACK
    assert body_limit("/accounts/login/") is None

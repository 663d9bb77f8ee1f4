"""A complete gateway in the test's own event loop: the application of the composition root, and its clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Protocol

import pytest

from netra.agents.base import BaseAgent, make_agent
from netra.agents.registry import names as agent_names
from netra.agents.registry import registered as registry
from test_framework.ssot.factories import GOOGLE
from websocket_core.auth import tokens
from websocket_core.database import db
from websocket_core.gateway import get_gateway
from websocket_core.testing.sockets import Client, OrderOracle, connect


async def issue_token(user_id: str, ttl: timedelta | None = None) -> str:
    """A bearer token of this user."""
    text, _ = await db.read(tokens.issue, user_id, ttl)
    return text


async def settle() -> None:
    """Wait until all emitted events are committed, announced, and passed to the sockets of this event loop."""
    await get_gateway().hub.log.flush()
    await get_gateway().journal.flush()
    for _ in range(20):
        await asyncio.sleep(0)  # the ring goes through the channel layer to the hub
    for connection in get_gateway().hub.connections():
        await connection.drained()


class Join(Protocol):
    """Connects a client; see `join`."""

    async def __call__(
        self, user_id: str = GOOGLE, *, token: str | None = None, oracle: OrderOracle | None = None, **options: Any
    ) -> Client: ...


@pytest.fixture
async def join(quiet_loop: None) -> AsyncIterator[Join]:
    """Function that connects a client of a user. All clients are closed after the test."""
    from netra.project.asgi import application

    async with AsyncExitStack() as stack:

        async def connected(
            user_id: str = GOOGLE, *, token: str | None = None, oracle: OrderOracle | None = None, **options: Any
        ) -> Client:
            token = token or await issue_token(user_id)
            return await stack.enter_async_context(connect(application, token, oracle=oracle, **options))

        yield connected


MakeAgent = Callable[..., type[BaseAgent]]


@pytest.fixture
def make() -> Iterator[MakeAgent]:
    """Function that registers `async def body(ctx, input)` (or a sync one, or a class) as an agent for this test."""
    before = dict(agent_names.classes)

    def register(body: Any, name: str = "made", **options: Any) -> type[BaseAgent]:
        registry.discover()
        if not isinstance(body, type):
            return registry.register(make_agent(body, name=name, **options))
        kind: Any = body
        kind.name = name
        return registry.register(kind)

    yield register
    registry.discover()
    for name in set(agent_names.classes) - set(before):
        if agent_names.classes[name].__module__.startswith(("tests.", "test_framework.")):
            del agent_names.classes[name]


SECRET = "password=hunter2"  # what agents of tests raise, and nobody may see


async def outcome(join: Join, **fields: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Run the agent `made`; return its events (`finish` checks them), and the type and data of the last one."""
    client = await join()
    events = await client.finish(await client.start("made", **fields))
    assert SECRET not in json.dumps(events)
    return events, {"type": events[-1]["event_type"], **events[-1]["data"]}


def kinds(events: list[dict[str, Any]]) -> list[str]:
    """The types of these events."""
    return [event["event_type"] for event in events]

"""The lifespan of a process: Netra begins before the application inside, ends before it, and does without it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from netra.serving.lifespan import Lifespan, Receive, Scope, Send

STARTUP, SHUTDOWN = {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}


class Server:
    """What an ASGI server does with the lifespan of an application."""

    def __init__(self, inner: Callable[[Scope, Receive, Send], Awaitable[None]], *, fails: bool = False) -> None:
        self.told: list[str] = []
        self.scope: Scope = {"type": "lifespan", "state": {}}
        self._fails = fails
        self._to: asyncio.Queue[Any] = asyncio.Queue()
        self._from: asyncio.Queue[Any] = asyncio.Queue()
        lifespan = Lifespan(inner, self._begin, self._end)
        self.task = asyncio.create_task(lifespan(self.scope, self._to.get, self._from.put))

    async def tell(self, message: dict[str, str]) -> str:
        self._to.put_nowait(message)
        async with asyncio.timeout(5):
            answer = await self._from.get()
        return str(answer["type"])

    async def _begin(self) -> None:
        self.told.append("begin")
        if self._fails:
            raise RuntimeError("no")

    async def _end(self) -> None:
        self.told.append("end")


def speaking(told: list[str], *, startup: str = "complete") -> Any:
    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        for kind, answer in (("startup", startup), ("shutdown", "complete")):
            assert (await receive())["type"] == f"lifespan.{kind}"
            told.append(f"inner {kind}")
            scope["state"][kind] = True
            await send({"type": f"lifespan.{kind}.{answer}"})

    return inner


async def deaf(scope: Scope, receive: Receive, send: Send) -> None:
    raise ValueError("Django can only handle ASGI/HTTP connections, not lifespan.")


async def leaving(scope: Scope, receive: Receive, send: Send) -> None:
    pass


@pytest.mark.parametrize("inner", [deaf, leaving])
async def test_application_that_does_not_speak_it(inner: Any) -> None:
    server = Server(inner)
    assert await server.tell(STARTUP) == "lifespan.startup.complete"
    assert await server.tell(SHUTDOWN) == "lifespan.shutdown.complete"
    await server.task
    assert server.told == ["begin", "end"]


async def test_application_that_speaks_it__lives_longer_than_the_runs() -> None:
    told: list[str] = []
    server = Server(speaking(told))
    server.told = told
    assert await server.tell(STARTUP) == "lifespan.startup.complete"
    assert server.scope["state"] == {"startup": True}
    assert await server.tell(SHUTDOWN) == "lifespan.shutdown.complete"
    await server.task
    assert told == ["begin", "inner startup", "end", "inner shutdown"]


async def test_application_that_cannot_start__keeps_the_server_from_starting() -> None:
    server = Server(speaking([], startup="failed"))
    assert await server.tell(STARTUP) == "lifespan.startup.failed"
    await server.task


async def test_netra_that_cannot_start__keeps_the_server_from_starting() -> None:
    server = Server(speaking([]), fails=True)
    assert await server.tell(STARTUP) == "lifespan.startup.failed"
    await server.task


async def test_server_that_gives_up__leaves_no_task() -> None:
    before = asyncio.all_tasks()
    server = Server(speaking([]))
    await server.tell(STARTUP)
    server.task.cancel()
    await asyncio.wait({server.task})
    assert asyncio.all_tasks() == before

"""The gateways of a process: one for each event loop, all of them drained, none of them kept when its loop is gone."""

import asyncio
import gc
import threading
import weakref
from functools import partial
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test.utils import override_settings
from prometheus_client import REGISTRY

from netra.agents.models import Run
from netra.testing.ending import IMPATIENT
from test_framework.gateway import MakeAgent, issue_token
from test_framework.journal_operations import state
from test_framework.ssot.factories import GITHUB, GOOGLE
from websocket_core.gateway import Gateway, get_gateway
from websocket_core.journal import Journal
from websocket_core.limits import action_limiter
from websocket_core.process.heartbeat import this_process
from websocket_core.process.lifecycle import Lifecycle, lifecycle
from websocket_core.testing.sockets import connect

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = 30.0


class LoopInThread:
    """A server's event loop in a thread of its own, with a socket and a run that goes on for ever."""

    def __init__(self, user: str) -> None:
        self.user = user
        self.begun, self.over = threading.Event(), threading.Event()
        self.code: int | None = None

    async def live(self) -> None:
        """Connect, start, and take what comes until the test is over."""
        from netra.asgi import application

        async with connect(application, await issue_token(self.user)) as client:
            await client.start("endless")
            self.begun.set()
            self.code = await client.closed(PATIENCE)
            await asyncio.to_thread(self.over.wait, PATIENCE)


async def test_drain__of_a_process_with_two_loops__ends_the_sockets_and_runs_of_both(make: MakeAgent) -> None:
    async def endless(ctx: Any, input: Any) -> None:
        await asyncio.Event().wait()

    make(endless, name="endless")
    loops = [LoopInThread(GOOGLE), LoopInThread(GITHUB)]
    lives = [asyncio.create_task(asyncio.to_thread(asyncio.run, loop.live())) for loop in loops]
    try:
        for loop in loops:
            assert await asyncio.to_thread(loop.begun.wait, PATIENCE)
        with override_settings(**IMPATIENT):
            await lifecycle.drain()
        ends = [(run.status, run.code) async for run in Run.objects.all()]
    finally:
        for loop in loops:
            loop.over.set()
        await asyncio.gather(*lives)
    assert ends == [("failed", "server_stopped")] * 2
    assert [loop.code for loop in loops] == [1012, 1012]


async def test_gateway__of_a_loop_that_has_ended__is_forgotten() -> None:
    """A view under WSGI and a command make a loop for each call."""

    async def write(number: int) -> "weakref.ref[Journal]":
        await get_gateway().journal.submit(state(number))
        return weakref.ref(get_gateway().journal)

    def call() -> "list[weakref.ref[Journal]]":
        return [async_to_sync(write)(number) for number in range(5)]

    journals = await asyncio.to_thread(call)
    gc.collect()
    assert sum(journal() is not None for journal in journals) <= 1  # the last one goes with the next loop


async def test_gateway__is_one_per_loop() -> None:
    async def here() -> Gateway:
        return get_gateway()

    assert get_gateway() is await here()
    assert await asyncio.to_thread(asyncio.run, here()) is not get_gateway()


async def test_parts__are_drained_in_order__and_one_that_fails_keeps_no_other_from_it() -> None:
    drained: list[str] = []

    class Part:
        def __init__(self, name: str) -> None:
            self.name = name

        async def drain(self) -> None:
            drained.append(self.name)
            if self.name == "bad":
                raise ValueError(self.name)

    gateway = Gateway()
    first, bad, last = (partial(Part, name) for name in ("first", "bad", "last"))
    made = [gateway.part(make) for make in (first, bad, bad, last)]
    assert made[1] is made[2]
    await gateway.drain()
    assert drained == ["first", "bad", "last"]


async def test_gateway__drained_by_its_owner__is_not_drained_again_with_the_process() -> None:
    class Part:
        drained = 0

        async def drain(self) -> None:
            self.drained += 1

    gateway = Gateway()
    part = gateway.part(Part)
    lifecycle.join(gateway)
    await gateway.drain()
    await lifecycle.drain()
    assert part.drained == 1


async def test_process__that_has_ended__begins_anew() -> None:
    get_gateway().serve()
    assert this_process.kind == "server"
    action_limiter.learn("ann", 60)
    await lifecycle.drain()
    lifecycle.end()
    assert (this_process.kind, lifecycle.draining, len(action_limiter)) == ("command", False, 0)
    assert await get_gateway().journal.submit(state()) == 1  # with database threads that are new


async def test_lifecycle__what_has_left__is_not_drained() -> None:
    drained: list[Gateway] = []

    class Noted(Gateway):
        async def drain(self) -> None:
            drained.append(self)

    process, stays, leaves = Lifecycle(), Noted(), Noted()
    for gateway in (stays, leaves, stays):
        process.join(gateway)
    process.leave(leaves)
    await process.drain()
    assert drained == [stays]


async def test_numbers__are_those_of_all_loops() -> None:
    tasks: list[asyncio.Task[Any]] = []

    async def wait_here() -> float:
        get_gateway()
        tasks.append(asyncio.create_task(asyncio.sleep(0)))
        return sample("netra_tasks")

    def sample(name: str) -> float:
        return REGISTRY.get_sample_value(name) or 0.0

    futures = [get_gateway().journal.post(state(number)) for number in range(3)]
    assert sample("netra_journal_backlog") == 3
    here = len(asyncio.all_tasks())
    there = await asyncio.to_thread(asyncio.run, wait_here())
    assert there == here + 2  # the other loop's main task, and the one it began
    await asyncio.gather(*futures)
    assert sample("netra_journal_backlog") == 0

"""Agents that use the ORM in every way there is into a thread, loaded by the servers under test."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import User
from django.db import connection, transaction

from netra.agents import AgentContext, SyncAgentContext, agent


def count() -> int:
    """Ask the database."""
    return User.objects.count()


@agent("plain")
def plain(ctx: SyncAgentContext, input: dict[str, Any]) -> int:
    """Blocks."""
    first = count()
    time.sleep(input.get("seconds", 0))
    return first + count()


@agent("to_thread")
async def to_thread(ctx: AgentContext, input: dict[str, Any]) -> int:
    """Netra's own way."""
    return await ctx.to_thread(count)


@agent("asyncio_to_thread")
async def asyncio_to_thread(ctx: AgentContext, input: dict[str, Any]) -> int:
    """Python's way."""
    return await asyncio.to_thread(count)


@agent("executor")
async def executor(ctx: AgentContext, input: dict[str, Any]) -> int:
    """The event loop's way."""
    return await asyncio.get_running_loop().run_in_executor(None, count)


@agent("async_orm")
async def async_orm(ctx: AgentContext, input: dict[str, Any]) -> int:
    """Django's way, after whoever started the run has got an answer."""
    await asyncio.sleep(0.3)
    return await User.objects.acount()


@agent("wrapped")
async def wrapped(ctx: AgentContext, input: dict[str, Any]) -> int:
    """Django's other way; both calls are in one thread."""
    await asyncio.sleep(0.3)
    first, second = await sync_to_async(threading.get_ident)(), await sync_to_async(threading.get_ident)()
    assert first == second
    return await sync_to_async(count)()


@agent("insensitive")
async def insensitive(ctx: AgentContext, input: dict[str, Any]) -> int:
    """In any thread."""
    return await sync_to_async(count, thread_sensitive=False)()


@agent("round_trip")
def round_trip(ctx: SyncAgentContext, input: dict[str, Any]) -> int:
    """Async code from a thread, and the ORM from there."""
    return async_to_sync(User.objects.acount)()


@agent("left_open")
def left_open(ctx: SyncAgentContext, input: dict[str, Any]) -> int:
    """Leaves a transaction open, as a mistake."""
    transaction.atomic().__enter__()
    return count()


@agent("broken")
def broken(ctx: SyncAgentContext, input: dict[str, Any]) -> int:
    """Breaks its own connection, and hides it."""
    connection.ensure_connection()
    connection.connection.close()
    return 0


@agent("asks")
def asks(ctx: SyncAgentContext, input: dict[str, Any]) -> int:
    """Waits for a person between two questions to the database."""
    first = count()
    ctx.approve("Go on?")
    return first + count()


@agent("own_threads")
def own_threads(ctx: SyncAgentContext, input: dict[str, Any]) -> int:
    """Asks in threads of its own, which end."""
    with ThreadPoolExecutor(2) as threads:
        return sum(threads.map(lambda _: count(), range(4)))


_kept = ThreadPoolExecutor(2)


def _count_slowly() -> int:
    time.sleep(0.1)  # so that both threads have something to do
    return count()


@agent("kept_threads")
def kept_threads(ctx: SyncAgentContext, input: dict[str, Any]) -> int:
    """Asks in threads of its own, which last as long as the process."""
    return sum(_kept.map(lambda _: _count_slowly(), range(2)))


@agent("looks_back")
def looks_back(ctx: SyncAgentContext, input: dict[str, Any]) -> dict[str, Any]:
    """Answers with its input, after a look at what came before."""
    return {"earlier": len(ctx.history), "text": input["text"]}

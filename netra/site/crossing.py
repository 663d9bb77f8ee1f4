"""Passes work from a site's code to the event loop that does it.

In a serving process, this is the serving loop, which also executes the runs started on it. In other processes (WSGI,
commands, queue tasks), it is a loop in a separate thread, started on first use, which records runs but executes none.
The many short-lived loops of `async_to_sync` therefore need no connections or tasks themselves.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from contextvars import Context
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.core.exceptions import SynchronousOnlyOperation

from websocket_core.database import db
from websocket_core.database.own_transaction import caller_in_transaction
from websocket_core.errors import OutcomeUnknown
from websocket_core.gateway import get_gateway, serving_loop
from websocket_core.process.lifecycle import lifecycle
from websocket_core.process.tasks import process_task

T = TypeVar("T")

LOOK_SECONDS = 1.0  # how often a waiting thread checks that the loop is still running
CLOSE_SECONDS = 5.0


class CallBlocksEventLoop(SynchronousOnlyOperation, RuntimeError):
    """A blocking function was called in a thread with a running event loop."""

    code = "blocks_event_loop"


def refuse_in_loop(name: str, twin: str) -> None:
    """Refuse to block an event loop.

    Raises:
        CallBlocksEventLoop: an event loop runs in this thread.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise CallBlocksEventLoop(f"{name}() would block the event loop of this thread: use `await {twin}(…)` instead.")


def wait_for(name: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Do some work on the loop and wait for it. The work does not inherit the caller's context variables.

    Raises:
        OutcomeUnknown: the process ended before the work did.
        Exception: whatever the work raises.
    """
    loop = _working_loop()
    future = _begin(loop, name, work)
    while True:
        try:
            return future.result(LOOK_SECONDS)
        except TimeoutError:
            if future.done():
                return future.result()
            if not loop.is_running():
                raise OutcomeUnknown(
                    "This process is ending. Check whether the call had an effect before you repeat it."
                ) from None


async def await_for(name: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The same as `wait_for`, from a coroutine."""
    loop = _working_loop()
    if loop is asyncio.get_running_loop():
        return await work()
    return await asyncio.wrap_future(_begin(loop, name, work))


async def in_caller_s_transaction(function: Callable[[], T]) -> tuple[bool, T | None]:
    """Call a blocking function in the thread that waits for this coroutine, if that thread is within a transaction.

    Returns:
        Whether the function was called, and its result.

    Raises:
        RuntimeError: the transaction cannot be reached.
    """
    if await caller_in_transaction():
        return True, await sync_to_async(function)()
    return False, None


async def read(function: Callable[..., T], *args: Any) -> T:
    """Read from the database, in the caller's transaction if there is one."""
    if await caller_in_transaction():
        return await sync_to_async(function)(*args)
    return await db.read(function, *args)


def _working_loop() -> asyncio.AbstractEventLoop:
    serving = None if lifecycle.draining else serving_loop()  # a draining loop records nothing new
    return serving or site_loop.loop


def _begin(loop: asyncio.AbstractEventLoop, name: str, work: Callable[[], Coroutine[Any, Any, T]]) -> Future[T]:
    future: Future[T] = Future()

    def settle(task: asyncio.Task[T]) -> None:
        with suppress(InvalidStateError):  # the waiting caller was cancelled
            if task.cancelled():
                future.cancel()
            elif error := task.exception():
                future.set_exception(error)
            else:
                future.set_result(task.result())

    def begin() -> None:
        task = process_task(work(), f"netra-site {name}")
        task.add_done_callback(settle)

    try:
        loop.call_soon_threadsafe(begin, context=Context())
    except RuntimeError:  # the loop has just been closed
        raise OutcomeUnknown("This process is ending; nothing was done.") from None
    return future


class SiteLoop:
    """An event loop in a separate thread, for processes that do not serve. It runs until the process ends."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop. The thread is started on first use."""
        with self._lock:
            if self._loop is None or self._thread is None or not self._thread.is_alive():
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="netra-site", daemon=True)
                self._thread.start()
            return self._loop

    def close(self) -> None:
        """Finish pending work and end the loop. The next use starts a new one."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None or not thread.is_alive():
            return
        with suppress(TimeoutError, RuntimeError):
            asyncio.run_coroutine_threadsafe(_drain(), loop).result(CLOSE_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CLOSE_SECONDS)
        if not thread.is_alive():
            loop.close()


async def _drain() -> None:
    await get_gateway().drain()


site_loop = SiteLoop()
atexit.register(site_loop.close)
lifecycle.on_end(site_loop.close)
os.register_at_fork(after_in_child=site_loop._forget)  # a forked process has no copy of the thread

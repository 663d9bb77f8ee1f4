"""From a site's code to the event loop that does the work.

Where the process serves, that is the loop that serves: a run that begins there is executed there. Elsewhere (under
WSGI, in a command, in a task of a queue) it is a loop in a thread of its own, started when it is first needed, which
records and executes nothing. So the many short-lived loops of `async_to_sync` need nothing of their own.
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

LOOK_SECONDS = 1.0  # how often a thread that waits looks whether the loop still turns
CLOSE_SECONDS = 5.0


class CallBlocksEventLoop(SynchronousOnlyOperation, RuntimeError):
    """A blocking function was called in the thread of a running event loop."""

    code = "blocks_event_loop"


def refuse_in_loop(name: str, twin: str) -> None:
    """Refuse to block an event loop.

    Raises:
        CallBlocksEventLoop: one runs in this thread.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise CallBlocksEventLoop(f"{name}() blocks, and an event loop runs in this thread: write `await {twin}(…)`.")


def wait_for(name: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Have the loop do something, and wait for it. It inherits nothing of the caller's context.

    Raises:
        OutcomeUnknown: the process ended meanwhile.
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
                    "This process is ending. Look whether it was done before you do it again."
                ) from None


async def await_for(name: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The same from a coroutine."""
    loop = _working_loop()
    if loop is asyncio.get_running_loop():
        return await work()
    return await asyncio.wrap_future(_begin(loop, name, work))


async def in_caller_s_transaction(function: Callable[[], T]) -> tuple[bool, T | None]:
    """Call a blocking function in the thread that waits for this coroutine, if that is within a transaction.

    Returns:
        whether it was called, and its result.

    Raises:
        RuntimeError: the transaction cannot be reached.
    """
    if await caller_in_transaction():
        return True, await sync_to_async(function)()
    return False, None


async def read(function: Callable[..., T], *args: Any) -> T:
    """Read from the database, within the caller's transaction if there is one."""
    if await caller_in_transaction():
        return await sync_to_async(function)(*args)
    return await db.read(function, *args)


def _working_loop() -> asyncio.AbstractEventLoop:
    serving = None if lifecycle.draining else serving_loop()  # a loop on its way out records nothing new
    return serving or site_loop.loop


def _begin(loop: asyncio.AbstractEventLoop, name: str, work: Callable[[], Coroutine[Any, Any, T]]) -> Future[T]:
    future: Future[T] = Future()

    def settle(task: asyncio.Task[T]) -> None:
        with suppress(InvalidStateError):  # whoever waited was cancelled
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
    except RuntimeError:  # it was closed in this very moment
        raise OutcomeUnknown("This process is ending; nothing was done.") from None
    return future


class SiteLoop:
    """An event loop in a thread of its own, for processes that serve nothing. It lasts as long as the process."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Its event loop. Starts the thread."""
        with self._lock:
            if self._loop is None or self._thread is None or not self._thread.is_alive():
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="netra-site", daemon=True)
                self._thread.start()
            return self._loop

    def close(self) -> None:
        """End the loop, with what it has. The next call starts another."""
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
os.register_at_fork(after_in_child=site_loop._forget)  # a forked process has the object without its thread

"""The threads for blocking code: sync agents, blocking tools, and functions that agents pass to threads themselves.

However an agent's code gets into a thread (`ctx.to_thread`, `asyncio.to_thread`, `sync_to_async`, Django's async ORM, a
framework's sync tools), the thread returns its database connections after each use and counts towards its user's share.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, WeakSet

from asgiref.sync import SyncToAsync, ThreadSensitiveContext

from netra.agents.blocking.shares import ThreadShares
from websocket_core.database.returning_threads import ReturningThreads, return_idle_connections, returning

T = TypeVar("T")

MOST_THREADS = 100_000  # effectively unlimited: the shares decide who may use a thread
whose_code: ContextVar[str] = ContextVar("netra_whose_code")  # the user of the run that the current code belongs to

_shares = ThreadShares()
_here = threading.local()  # `place`: the place of the code that this thread runs
_threads: ThreadPoolExecutor | None = None
_of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopThreads] = WeakKeyDictionary()
_prepared: WeakSet[asyncio.AbstractEventLoop] = WeakSet()


class _Place:
    """One use of a thread. It can be released for a while and taken again."""

    def __init__(self, user_id: str) -> None:
        self._user_id = user_id
        self._held = True  # the creator has already taken it

    def leave(self) -> None:
        """Release the place. Repeated calls do nothing."""
        if self._held:
            self._held = False
            _shares.give_back(self._user_id)

    def enter(self) -> None:
        """Take the place again. Waits until one is free."""
        entered: Future[None] = Future()
        _shares.take(self._user_id, lambda: entered.set_result(None))
        entered.result()
        self._held = True


def blocking_threads() -> ThreadPoolExecutor:
    """The threads of sync agents and blocking tools. The database and Channels use others."""
    global _threads
    if _threads is None:
        _threads = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="netra-agent")
    return _threads


async def in_blocking_thread(user_id: str, function: Callable[..., T], *args: Any) -> T:
    """Run a function in one of these threads once the user may use one, with the current context variables."""
    context = contextvars.copy_context()
    return await asyncio.wrap_future(_submit(blocking_threads(), user_id, context.run, function, *args))


@contextmanager
def waiting_for_a_person() -> Iterator[None]:
    """For code in one of the threads that waits for a person inside the block.

    While it waits, it does not count towards its user's share, and it holds no idle database connection. Code that
    leaves the block by an exception (because the run was stopped) finishes without a place.
    """
    place: _Place | None = getattr(_here, "place", None)
    return_idle_connections()
    if place is None:
        yield
        return
    place.leave()
    yield
    place.enter()


class _RunThread(ThreadPoolExecutor):
    """The single thread of a run for code that needs the same one each time: `sync_to_async`, and so the async ORM."""

    def __init__(self, user_id: str) -> None:
        super().__init__(1, thread_name_prefix="netra-agent_run")
        self._user_id = user_id

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """See `concurrent.futures.Executor`."""
        return _submit(super(), self._user_id, fn, *args, **kwargs)


def use_own_thread(user_id: str) -> None:
    """Give `sync_to_async` its own thread, in the current task and in the tasks that it starts.

    Otherwise all runs of the process would share one thread, and one that blocks would delay all others. The thread
    ends when nothing refers to it any more.
    """
    context = ThreadSensitiveContext()
    SyncToAsync.context_to_thread_executor[context] = _RunThread(user_id)
    SyncToAsync.thread_sensitive_context.set(context)


class LoopThreads(ReturningThreads):
    """An event loop's default threads: for `asyncio.to_thread` and for frameworks that run sync code.

    Functions of a run are executed by the agents' threads instead, so that they take none from the loop's own work,
    such as DNS lookups.
    """

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """See `concurrent.futures.Executor`."""
        user_id = whose_code.get(None)
        if user_id is None:
            return super().submit(fn, *args, **kwargs)
        return _submit(blocking_threads(), user_id, fn, *args, **kwargs)


def threads_of(loop: asyncio.AbstractEventLoop) -> LoopThreads:
    """The `LoopThreads` of a loop, which frameworks can be configured to use."""
    threads = _of_loops.get(loop)
    if threads is None:
        size = int(os.environ.get("ASGI_THREADS", "0")) or None  # as Daphne does
        threads = _of_loops[loop] = LoopThreads(size, thread_name_prefix="netra-agent_loop")
    return threads


def prepare_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Make `LoopThreads` the default executor of a loop on which agents run. Repeated calls do nothing."""
    if loop not in _prepared:
        _prepared.add(loop)
        loop.set_default_executor(threads_of(loop))


def _submit(threads: Any, user_id: str, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
    """Let one of these threads call a function as soon as the user may use one."""
    future: Future[T] = Future()

    def begin() -> None:
        if not future.set_running_or_notify_cancel():  # the caller no longer waits
            _shares.give_back(user_id)
            return
        try:
            threads.submit(_call, future, user_id, function, args, kwargs)
        except RuntimeError as error:  # the threads have been shut down
            _shares.give_back(user_id)
            future.set_exception(error)

    _shares.take(user_id, begin)
    return future


def _call(
    future: Future[T], user_id: str, function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    place = _here.place = _Place(user_id)
    try:
        result = returning(function, *args, **kwargs)
    except BaseException as error:  # noqa: BLE001 - raised by the future
        place.leave()
        future.set_exception(error)
    else:
        place.leave()
        future.set_result(result)
    finally:
        _here.place = None

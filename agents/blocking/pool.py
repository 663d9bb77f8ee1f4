"""The threads of code that blocks: sync agents, blocking tools, and what agents hand to threads by themselves.

Whatever way an agent's code takes into a thread (`ctx.to_thread`, `asyncio.to_thread`, `sync_to_async`, Django's async
ORM, a framework's sync tools), the thread gives its database connections back after each use, and counts for its
user's share.
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

MOST_THREADS = 100_000  # no bound: who may use one is for the shares to say
whose_code: ContextVar[str] = ContextVar("netra_whose_code")  # the user of the run whose code this is

_shares = ThreadShares()
_here = threading.local()  # `place`: of the code that this thread runs
_threads: ThreadPoolExecutor | None = None
_of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopThreads] = WeakKeyDictionary()
_prepared: WeakSet[asyncio.AbstractEventLoop] = WeakSet()


class _Place:
    """One use of a thread; it can be given back for a while and taken again."""

    def __init__(self, user_id: str) -> None:
        self._user_id = user_id
        self._held = True  # who makes it has been let in

    def leave(self) -> None:
        """Give it back; again is fine."""
        if self._held:
            self._held = False
            _shares.give_back(self._user_id)

    def enter(self) -> None:
        """Take it again; waits until there is one."""
        entered: Future[None] = Future()
        _shares.take(self._user_id, lambda: entered.set_result(None))
        entered.result()
        self._held = True


def blocking_threads() -> ThreadPoolExecutor:
    """The threads of sync agents and blocking tools; never those of the database or of Channels."""
    global _threads
    if _threads is None:
        _threads = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="netra-agent")
    return _threads


async def in_blocking_thread(user_id: str, function: Callable[..., T], *args: Any) -> T:
    """Run a function in one of them, as soon as the user may, with the context variables of this moment."""
    context = contextvars.copy_context()
    return await asyncio.wrap_future(_submit(blocking_threads(), user_id, context.run, function, *args))


@contextmanager
def waiting_for_a_person() -> Iterator[None]:
    """For code in one of the threads: it waits inside the block, and holds meanwhile neither its user's share nor, if
    nothing is under way on it, a database connection.

    Who leaves the block by an exception (the run was stopped) goes on to its end without a place of its own.
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
    """The one thread of a run for code that insists on always the same one: `sync_to_async`, and so the async ORM."""

    def __init__(self, user_id: str) -> None:
        super().__init__(1, thread_name_prefix="netra-agent_run")
        self._user_id = user_id

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """See `concurrent.futures.Executor`."""
        return _submit(super(), self._user_id, fn, *args, **kwargs)


def use_own_thread(user_id: str) -> None:
    """Let `sync_to_async` in the current task, and in what it starts, work in a thread of its own.

    Without, all runs of the process would share one, and one that blocks would hold all the others up. The thread ends
    when nothing that it was made for is left.
    """
    context = ThreadSensitiveContext()
    SyncToAsync.context_to_thread_executor[context] = _RunThread(user_id)
    SyncToAsync.thread_sensitive_context.set(context)


class LoopThreads(ReturningThreads):
    """An event loop's default threads: `asyncio.to_thread`, frameworks that run sync code. What a run hands to them
    is done by agents' threads, so that it takes none from the loop's own work (looking up a host's name).
    """

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """See `concurrent.futures.Executor`."""
        user_id = whose_code.get(None)
        if user_id is None:
            return super().submit(fn, *args, **kwargs)
        return _submit(blocking_threads(), user_id, fn, *args, **kwargs)


def threads_of(loop: asyncio.AbstractEventLoop) -> LoopThreads:
    """Such threads of a loop, which frameworks can be told to use."""
    threads = _of_loops.get(loop)
    if threads is None:
        size = int(os.environ.get("ASGI_THREADS", "0")) or None  # as Daphne reads it
        threads = _of_loops[loop] = LoopThreads(size, thread_name_prefix="netra-agent_loop")
    return threads


def prepare_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Make them the default ones of a loop on which agents run, once."""
    if loop not in _prepared:
        _prepared.add(loop)
        loop.set_default_executor(threads_of(loop))


def _submit(threads: Any, user_id: str, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
    """Let one of these threads call a function as soon as the user may use one."""
    future: Future[T] = Future()

    def begin() -> None:
        if not future.set_running_or_notify_cancel():  # whoever wanted it has gone
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
    except BaseException as error:  # noqa: BLE001 - it becomes the future's
        place.leave()
        future.set_exception(error)
    else:
        place.leave()
        future.set_result(result)
    finally:
        _here.place = None

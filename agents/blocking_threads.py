"""The threads of code that blocks: sync agents, blocking tools."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from agents.conf import conf

T = TypeVar("T")

_threads: ThreadPoolExecutor | None = None


def blocking_threads() -> ThreadPoolExecutor:
    """The threads of sync agents and blocking tools; never those of the database or of Channels."""
    global _threads
    if _threads is None:
        _threads = ThreadPoolExecutor(conf.SYNC_THREADS, thread_name_prefix="netra-agent")
    return _threads


async def in_blocking_thread(function: Callable[..., T], *args: Any) -> T:
    """Run a function in one of them, with the context variables of this moment."""
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(
        blocking_threads(), lambda: context.run(_without_stop_iteration, function, *args)
    )


def _without_stop_iteration(function: Callable[..., T], *args: Any) -> T:
    try:
        return function(*args)
    except StopIteration as error:  # a future cannot carry it: whoever awaits would wait for ever
        raise RuntimeError("a function in a thread raised StopIteration") from error

"""Tasks of the process: those that go on when the request, the socket or the command that began them is over.

A task inherits the context variables of whoever creates it. A request's are no place to live in: they keep the request
itself in memory, and `sync_to_async` finds in them the thread that waits for the response, which nobody serves any
more once that has been sent. So what outlives a request is created here, in a context of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any, TypeVar

from websocket_core.process import log_context

T = TypeVar("T")


def process_task(coroutine: Coroutine[Any, Any, T], name: str, *, keeps_log_ids: bool = False) -> asyncio.Task[T]:
    """A task of the running loop that inherits nothing.

    Args:
        coroutine: what it does.
        name: of the task, for logs and debuggers.
        keeps_log_ids: its log lines carry the ids that are bound now: it is about the same user's work.
    """
    context = Context()
    if keeps_log_ids:
        context.run(log_context.rebind, log_context.current())
    return asyncio.get_running_loop().create_task(coroutine, name=name, context=context)

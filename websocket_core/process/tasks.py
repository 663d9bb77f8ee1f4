"""Tasks of the process: they continue after the request, socket or command that started them has ended.

A task inherits the context variables of its creator. Those of a request must not outlive it. They keep the request in
memory, and they make `sync_to_async` use the thread that waits for the response, which runs nothing once the response
is sent. A task that outlives a request is therefore created here, with an empty context.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any, TypeVar

from websocket_core.process import log_context

T = TypeVar("T")


def process_task(coroutine: Coroutine[Any, Any, T], name: str, *, keeps_log_ids: bool = False) -> asyncio.Task[T]:
    """Create a task of the running loop with an empty context.

    Args:
        coroutine: the task's work.
        name: the task's name, for logs and debuggers.
        keeps_log_ids: keep the bound log ids, for a task that is about the same user's work.
    """
    context = Context()
    if keeps_log_ids:
        context.run(log_context.rebind, log_context.current())
    return asyncio.get_running_loop().create_task(coroutine, name=name, context=context)

"""Handles ASGI lifespan messages: the startup and shutdown of a serving process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

log = logging.getLogger(__name__)

Message = dict[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Lifespan:
    """Answers a server's lifespan messages: Netra starts before the inner application, and shuts down before it.

    Agents of runs that end during the shutdown can therefore still use what the inner application has opened.

    Args:
        inner: receives the messages too, if it supports lifespan.
        begin: awaited at startup. If it raises, the server does not start.
        end: awaited at shutdown.
    """

    def __init__(
        self, inner: Application, begin: Callable[[], Awaitable[None]], end: Callable[[], Awaitable[None]]
    ) -> None:
        self._inner, self._begin, self._end = inner, begin, end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one lifespan."""
        inner = _Inner(self._inner, scope)
        try:
            while True:
                message = await receive()
                kind = message["type"]
                try:
                    await (self._begin if kind == "lifespan.startup" else self._end)()
                except Exception as error:
                    log.exception("%s failed", kind)
                    await send({"type": f"{kind}.failed", "message": f"Netra: {error}"})
                    return
                answer = await inner.tell(message)
                await send(answer)
                if answer["type"] != "lifespan.startup.complete":
                    return
        finally:
            await inner.stop()


class _Inner:
    """The inner application's side of a lifespan, in a separate task that starts with the first message."""

    def __init__(self, application: Application, scope: Scope) -> None:
        self._application, self._scope = application, scope
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._answers: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def tell(self, message: Message) -> Message:
        """Pass a message on and return the answer; `complete` if the application ends without an answer."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="netra-inner-lifespan")
        self._messages.put_nowait(message)
        answer = asyncio.create_task(self._answers.get())
        await asyncio.wait({answer, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            await asyncio.sleep(0)  # the task may have sent an answer just before it ended
        if answer.done():
            return answer.result()
        answer.cancel()
        return {"type": f"{message['type']}.complete"}

    async def stop(self) -> None:
        """Cancel the task, if it has not ended."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        try:
            await self._application(self._scope, self._messages.get, self._answers.put)
        except ValueError as error:  # Django and Channels raise it, because they do not support lifespan
            log.debug("the inner application does not support lifespan: %s", error)
        except Exception:
            log.exception("the lifespan of the inner application failed")

"""The beginning and the end of a process, as ASGI servers tell applications of them (lifespan)."""

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
    """Answers a server's lifespan messages: Netra begins before the inner application, and ends before it.

    So the agents of a run that is given its time still have what the inner application has opened for them.

    Args:
        inner: told of both where it speaks lifespan; where it does not, nobody notices.
        begin: awaited when the process starts; when it raises, the server does not start.
        end: awaited when the process is told to end.
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
    """The inner application's side of a lifespan, in a task of its own, begun with the first message."""

    def __init__(self, application: Application, scope: Scope) -> None:
        self._application, self._scope = application, scope
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._answers: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def tell(self, message: Message) -> Message:
        """Hand a message on; return the answer, for an application that gives none: complete."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="netra-inner-lifespan")
        self._messages.put_nowait(message)
        answer = asyncio.create_task(self._answers.get())
        await asyncio.wait({answer, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            await asyncio.sleep(0)  # what was answered last, before it ended
        if answer.done():
            return answer.result()
        answer.cancel()
        return {"type": f"{message['type']}.complete"}

    async def stop(self) -> None:
        """End it, where it has not ended by itself."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        try:
            await self._application(self._scope, self._messages.get, self._answers.put)
        except ValueError as error:  # Django and Channels say so that they do not speak lifespan
            log.debug("the inner application does not speak lifespan: %s", error)
        except Exception:
            log.exception("the inner application failed in its lifespan")

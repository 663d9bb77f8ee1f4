"""The steps of a run that take time: a streamed answer, a tool call."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Self

from netra.agents.authoring.facts import Decision
from netra.agents.authoring.run_events import RunEvents
from netra.agents.errors import ToolDenied, ToolError, author_text, meant_for_people
from netra.agents.texts import bounded
from websocket_core.errors import RunOverError
from websocket_core.wire import EventTooLargeError, UnserialisableError


class MessageStream:
    """One streamed answer."""

    def __init__(self, events: RunEvents, message_id: str) -> None:
        self._events = events
        self.message_id = message_id

    async def append(self, delta: str) -> None:
        """Append text."""
        await self._events.delta("agent_message", self.message_id, delta)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is None:  # otherwise the end of the run sends the rest
            await self._events.end_stream("agent_message", self.message_id)


class ToolCall:
    """One tool call: emits `tool_executing` on entry and `tool_completed` on exit.

    Attributes:
        result: set it inside the block; sent with status `ok`.
    """

    def __init__(
        self, events: RunEvents, name: str, arguments: Any, tool_call_id: str, approval: Decision | None
    ) -> None:
        self.result: Any = None
        self.name, self.arguments, self.tool_call_id = name, arguments, tool_call_id
        self._events = events
        self._approval = approval
        self._began = 0.0

    async def __aenter__(self) -> Self:
        if self._approval is not None and not self._approval.approved:
            self._began = time.monotonic()
            denied = self._completion("denied", error="A person denied this call.")
            await self._events.emit_together(("tool_executing", self._beginning()), ("tool_completed", denied))
            raise ToolDenied(f"{self.name} was denied")
        await self.begin()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is None:
            try:
                await self.finish("ok", result=self.result)
            except (UnserialisableError, EventTooLargeError) as problem:
                await self.finish("error", error=f"The result cannot be shown: {problem}")
                raise
        elif self._events.posted.closed or isinstance(error, RunOverError):
            return  # the end of the run closes its tools
        elif issubclass(kind, asyncio.CancelledError):
            await self.finish("cancelled", error="Stopped.")
        elif error is not None and isinstance(meant := meant_for_people(error), ToolError):
            await self.finish("error", error=author_text(meant) or "The tool failed.")
        else:
            await self.finish("error", error="The tool failed.")

    async def begin(self, *, wait: bool = True) -> None:
        """Emit `tool_executing` and wait for its commit: the journal must know of a tool before it has effects."""
        self._began = time.monotonic()
        await self._events.emit("tool_executing", self._beginning(), wait=wait)

    async def finish(self, status: str, *, result: Any = None, error: str | None = None) -> None:
        """Emit `tool_completed` with status `ok`, `error`, `denied` or `cancelled`."""
        if self.tool_call_id in self._events.grammar.tools:  # otherwise the end of the run has already closed it
            await self._events.emit("tool_completed", self._completion(status, result=result, error=error))

    def _beginning(self) -> dict[str, Any]:
        return {"tool_call_id": self.tool_call_id, "tool_name": self.name, "arguments": self.arguments}

    def _completion(self, status: str, *, result: Any = None, error: str | None = None) -> dict[str, Any]:
        data: dict[str, Any] = {"tool_call_id": self.tool_call_id, "tool_name": self.name, "status": status}
        if status == "ok":
            data["result"] = result
        else:
            data["error"] = bounded(error or "")
        data["duration_ms"] = round((time.monotonic() - self._began) * 1000, 3)
        return data

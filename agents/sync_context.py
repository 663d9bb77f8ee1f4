"""The context of sync agents.

The same methods, blocking. The body runs in a thread of its own; the events go out from the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, Self, TypeVar

from agents.context import AgentContext, Decision, MessageStream, ToolCall
from websocket_core.errors import RunOverError

T = TypeVar("T")


class _Bridge:
    """Runs coroutines of the event loop from the body's thread."""

    def __init__(self, context: AgentContext, loop: asyncio.AbstractEventLoop) -> None:
        self.context, self._loop = context, loop

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        if self.context.cancelled:
            coroutine.close()
            raise RunOverError("The run was stopped.")
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def wait_even_if_stopped(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


class SyncAgentContext:
    """`AgentContext` for sync bodies. A stopped body is told by `cancelled`, and by `RunOverError` at its next call."""

    def __init__(self, context: AgentContext, loop: asyncio.AbstractEventLoop) -> None:
        self.user_id, self.thread_id, self.run_id = context.user_id, context.thread_id, context.run_id
        self.history = context.history
        self._context = context
        self._bridge = _Bridge(context, loop)

    @property
    def cancelled(self) -> bool:
        """Whether the run was stopped; a long computation looks now and then."""
        return self._context.cancelled

    def think(self, text: str, stream: str | None = None) -> None:
        """See `AgentContext.think`."""
        self._bridge.wait(self._context.think(text, stream))

    def say(self, text: str) -> None:
        """See `AgentContext.say`."""
        self._bridge.wait(self._context.say(text))

    def message(self, message_id: str | None = None) -> SyncMessageStream:
        """See `AgentContext.message`."""
        return SyncMessageStream(self._context.message(message_id), self._bridge)

    def publish_state(self, state: Any) -> None:
        """See `AgentContext.publish_state`."""
        self._bridge.wait(self._context.publish_state(state))

    def tool(
        self, name: str, arguments: Any = None, *, tool_call_id: str | None = None, approval: Decision | None = None
    ) -> SyncToolCall:
        """See `AgentContext.tool`."""
        return SyncToolCall(
            self._context.tool(name, arguments, tool_call_id=tool_call_id, approval=approval), self._bridge
        )

    def approve(self, message: str, **options: Any) -> Decision:
        """See `AgentContext.approve`."""
        return self._bridge.wait(self._unless_stopped(self._context.approve(message, **options)))

    async def _unless_stopped(self, waiting: Coroutine[Any, Any, T]) -> T:
        """A person may take a day, and the body's thread cannot be cancelled: a stop has to end the waiting."""
        answer, stopped = asyncio.ensure_future(waiting), asyncio.ensure_future(self._context.stopped())
        try:
            await asyncio.wait({answer, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if self.cancelled:  # whoever ended the run has closed the question, too: that is nobody's answer
                raise RunOverError("The run was stopped.")
            return answer.result()
        finally:
            answer.cancel()
            stopped.cancel()
            await asyncio.wait({answer, stopped})

    def report_usage(self, usage: Mapping[str, Any]) -> None:
        """See `AgentContext.report_usage`."""
        self._context.report_usage(usage)

    def recall(self, key: str) -> bytes | None:
        """See `AgentContext.recall`."""
        return self._bridge.wait(self._context.recall(key))

    def remember(self, key: str, data: bytes) -> None:
        """See `AgentContext.remember`."""
        self._bridge.wait(self._context.remember(key, data))


class SyncMessageStream:
    """See `MessageStream`."""

    def __init__(self, stream: MessageStream, bridge: _Bridge) -> None:
        self._stream, self._bridge = stream, bridge
        self.message_id = stream.message_id

    def append(self, delta: str) -> None:
        """Text to append."""
        self._bridge.wait(self._stream.append(delta))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        return None


class SyncToolCall:
    """See `ToolCall`."""

    def __init__(self, call: ToolCall, bridge: _Bridge) -> None:
        self._call, self._bridge = call, bridge
        self.tool_call_id = call.tool_call_id
        self.result: Any = None

    def __enter__(self) -> Self:
        self._bridge.wait(self._call.__aenter__())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._call.result = self.result
        self._bridge.wait_even_if_stopped(self._call.__aexit__(kind, error, trace))

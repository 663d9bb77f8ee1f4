"""The context of sync agents.

It has the same methods, but they block. The body runs in a separate thread, and the event loop emits the events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from typing import Any, Self, TypeVar

from netra.agents.authoring.context import AgentContext
from netra.agents.authoring.facts import Decision, PastRun
from netra.agents.authoring.steps import MessageStream, ToolCall
from netra.agents.blocking.pool import waiting_for_a_person
from websocket_core.errors import RunOverError

T = TypeVar("T")

STOPPED = "The run was stopped."


class _Bridge:
    """Runs coroutines of the event loop for the body's thread. When the run is stopped, no call waits any longer."""

    def __init__(self, context: AgentContext, loop: asyncio.AbstractEventLoop) -> None:
        self.context, self._loop = context, loop
        self._waiting: set[Future[Any]] = set()
        context.on_cancel(self._let_go)

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        if self._is_stopped():
            coroutine.close()
            raise RunOverError(STOPPED)
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        self._waiting.add(future)
        if self._is_stopped():  # stopped just now: `_let_go` has not seen this future
            future.cancel()
        try:
            return future.result()
        except CancelledError:
            raise RunOverError(STOPPED) from None
        finally:
            self._waiting.discard(future)

    def wait_even_if_stopped(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def _is_stopped(self) -> bool:
        return self.context.cancelled

    def _let_go(self) -> None:
        for future in list(self._waiting):
            future.cancel()


class SyncAgentContext:
    """`AgentContext` for sync bodies. `cancelled` tells a stopped body, and its next call raises `RunOverError`."""

    def __init__(self, context: AgentContext, loop: asyncio.AbstractEventLoop) -> None:
        self.user_id, self.thread_id, self.run_id = context.user_id, context.thread_id, context.run_id
        self._context = context
        self._bridge = _Bridge(context, loop)

    @property
    def history(self) -> list[PastRun]:
        """See `AgentContext.history`."""
        return self._context.history

    @property
    def cancelled(self) -> bool:
        """Whether the run was stopped. A long computation should check this from time to time."""
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

    def publish_data(self, name: str, data: Any, *, id: str | None = None, transient: bool = False) -> None:  # noqa: A002
        """See `AgentContext.publish_data`."""
        self._bridge.wait(self._context.publish_data(name, data, id=id, transient=transient))

    def tool(
        self, name: str, arguments: Any = None, *, tool_call_id: str | None = None, approval: Decision | None = None
    ) -> SyncToolCall:
        """See `AgentContext.tool`."""
        return SyncToolCall(
            self._context.tool(name, arguments, tool_call_id=tool_call_id, approval=approval), self._bridge
        )

    def approve(self, message: str, **options: Any) -> Decision:
        """See `AgentContext.approve`."""
        with waiting_for_a_person():
            return self._bridge.wait(self._context.approve(message, **options))

    def approve_all(self, questions: Sequence[Mapping[str, Any]]) -> list[Decision]:
        """See `AgentContext.approve_all`."""
        with waiting_for_a_person():
            return self._bridge.wait(self._context.approve_all(questions))

    def client_tool(self, name: str, arguments: Any = None, **options: Any) -> Any:
        """See `AgentContext.client_tool`."""
        with waiting_for_a_person():
            return self._bridge.wait(self._context.client_tool(name, arguments, **options))

    def report_usage(self, usage: Mapping[str, Any]) -> None:
        """See `AgentContext.report_usage`."""
        self._context.report_usage(usage)

    def report_finish_reason(self, reason: str | None) -> None:
        """See `AgentContext.report_finish_reason`."""
        self._context.report_finish_reason(reason)

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
        """Append text."""
        self._bridge.wait(self._stream.append(delta))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is None:
            self._bridge.wait(self._stream.__aexit__(None, None, None))


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

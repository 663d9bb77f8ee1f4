"""What an agent's body works with: whose run it is, and how to tell the person what happens.

Every method says its event at once and in order; the grammar of the run holds whatever the body does with them.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, TypeVar

from agents.conf import conf
from agents.errors import ToolDenied, ToolError
from agents.run_events import RunEvents
from agents.time_limit import TimeLimit
from websocket_core.errors import RunOverError
from websocket_core.events import EventTooLargeError, UnserialisableError
from websocket_core.ids import RunID, ThreadID, UserID, new_id

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PastRun:
    """An earlier run of the thread."""

    run_id: str
    input: Any
    result: Any  # None when it did not complete
    status: str  # completed, failed, cancelled


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's answer to an approval."""

    approved: bool
    value: Any
    by: str  # "user", "expired", "cancelled"
    tool_call_id: str
    tool_name: str = ""


@dataclass(frozen=True, slots=True)
class Rest:
    """Returned by a body that waits for decisions without holding a process: the run rests in the database, and
    `BaseAgent.proceed` goes on when every approval it asked for (`ctx.request_approval`) is decided, in whatever
    process.

    Args:
        memory: what `proceed` needs to go on.
    """

    memory: bytes


class RunPort(Protocol):
    """What a context needs from the runtime; a run outside the runtime has none."""

    async def request_approval(self, events: RunEvents, data: dict[str, Any], expires_in: float) -> None:
        """Record an approval together with its event."""

    async def decision(self, approval_id: str) -> Decision:
        """Wait until the approval is decided."""

    async def recall(self, key: str) -> bytes | None:
        """What was remembered for the thread under this key."""

    async def remember(self, key: str, data: bytes) -> None:
        """Remember it for the thread."""


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


@dataclass(slots=True)
class RunInfo:
    """Whose run it is, and what came before it."""

    user_id: UserID
    thread_id: ThreadID
    run_id: RunID
    history: Sequence[PastRun] = field(default_factory=list)


class AgentContext:
    """The body's side of a run.

    Attributes:
        user_id, thread_id, run_id: whose run it is.
        history: earlier runs of the thread, oldest first, loaded before the start.
    """

    def __init__(self, info: RunInfo, events: RunEvents, port: RunPort | None = None) -> None:
        self.user_id, self.thread_id, self.run_id = info.user_id, info.thread_id, info.run_id
        self.history = list(info.history)
        self.events = events
        self.usage: dict[str, Any] | None = None
        self.time_limit: TimeLimit | None = None  # set when the body begins
        self._port = port
        self._stop = asyncio.Event()
        self._on_cancel: list[Callable[[], None]] = []
        self._thought: str | None = None

    @property
    def cancelled(self) -> bool:
        """Whether the run was stopped. An async body need not look: it gets `CancelledError`."""
        return self._stop.is_set()

    def cancel(self) -> None:
        """Called by the runtime when the run is stopped."""
        self._stop.set()
        for callback in self._on_cancel:
            callback()

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Call this, from the event loop, when the run is stopped."""
        self._on_cancel.append(callback)

    async def think(self, text: str, stream: str | None = None) -> None:
        """Text to append to a thought.

        Args:
            stream: which thought; `None` is the current one, which a tool call ends.
        """
        if stream is None:
            stream = self._thought = self._thought or new_id()
        await self.events.delta("agent_thinking", stream, text)

    async def say(self, text: str) -> None:
        """A whole answer, or a paragraph of it, as a message of its own."""
        await self.events.delta("agent_message", new_id(), text)

    def message(self, message_id: str | None = None) -> MessageStream:
        """A streamed answer: `async with ctx.message() as m: await m.append(delta)`."""
        return MessageStream(self.events, message_id or new_id())

    async def publish_state(self, state: Any) -> None:
        """Whatever the agent wants to show of itself, as `agent_state`."""
        await self.events.emit("agent_state", {"state": state})

    def tool(
        self, name: str, arguments: Any = None, *, tool_call_id: str | None = None, approval: Decision | None = None
    ) -> ToolCall:
        """A tool call: `async with ctx.tool("search", {"q": q}) as call: call.result = await search(q)`.

        Args:
            approval: the decision that was asked for it: its `tool_call_id` is carried on; when it was denied, the
                pair of events
                says `denied` and `ToolDenied` is raised.
        """
        self._thought = None
        call_id = tool_call_id or (approval.tool_call_id if approval else None) or new_id()
        return ToolCall(self.events, name, {} if arguments is None else arguments, call_id, approval)

    async def approve(
        self,
        message: str,
        *,
        tool_name: str = "",
        arguments: Any = None,
        tool_call_id: str | None = None,
        expires_in: float | None = None,
    ) -> Decision:
        """Ask the person and wait for the answer. The waiting holds this process (see `Rest` for agents that need not
        wait), but does not count for the agent's timeout.

        Args:
            message: the question.
            expires_in: seconds until it is void (then `approved` is false); default `NETRA_APPROVAL_HOURS`.
        """
        approval_id = await self.request_approval(
            message, tool_name=tool_name, arguments=arguments, tool_call_id=tool_call_id, expires_in=expires_in
        )
        assert self._port is not None
        with nullcontext() if self.time_limit is None else self.time_limit.paused():
            return await self._port.decision(approval_id)

    async def request_approval(
        self,
        message: str,
        *,
        tool_name: str = "",
        arguments: Any = None,
        tool_call_id: str | None = None,
        expires_in: float | None = None,
    ) -> str:
        """Ask the person without waiting; for bodies that return `Rest`. Returns the approval's id."""
        if self._port is None:
            raise RuntimeError(
                "approvals need a run that was started through Netra (start_agent), so that somebody can answer"
            )
        self._thought = None
        approval_id = new_id()
        data = {
            "approval_id": approval_id,
            "tool_call_id": tool_call_id or new_id(),
            "tool_name": tool_name,
            "arguments": {} if arguments is None else arguments,
            "message": message,
        }
        await self._port.request_approval(
            self.events, data, conf.APPROVAL_HOURS * 3600 if expires_in is None else expires_in
        )
        return approval_id

    def report_usage(self, usage: Mapping[str, Any]) -> None:
        """What the run used (tokens, requests): shown in `agent_completed`."""
        self.usage = dict(usage)

    async def recall(self, key: str) -> bytes | None:
        """What an earlier run of this thread remembered under this key."""
        return await self._port.recall(key) if self._port else None

    async def remember(self, key: str, data: bytes) -> None:
        """Remember something for later runs of this thread."""
        if self._port is not None:
            await self._port.remember(key, data)

    async def to_thread(self, function: Callable[..., T], *args: Any) -> T:
        """Run a blocking function without holding anybody up. When the run is stopped the function goes on, unheard."""
        return await in_blocking_thread(function, *args)


class MessageStream:
    """One streamed answer."""

    def __init__(self, events: RunEvents, message_id: str) -> None:
        self._events = events
        self.message_id = message_id

    async def append(self, delta: str) -> None:
        """Text to append."""
        await self._events.delta("agent_message", self.message_id, delta)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None


class ToolCall:
    """One tool call: `tool_executing` on entering, `tool_completed` on leaving.

    Attributes:
        result: set it inside the block; shown with status `ok`.
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
        elif self._events.closed or isinstance(error, RunOverError):
            return  # whoever ended the run closes its tools
        elif issubclass(kind, asyncio.CancelledError):
            await self.finish("cancelled", error="Stopped.")
        elif isinstance(error, ToolError):
            await self.finish("error", error=str(error))
        else:
            await self.finish("error", error="The tool failed.")

    async def begin(self, *, wait: bool = True) -> None:
        """`tool_executing`. Waits for its commit: what a tool does must never be unknown to the journal."""
        self._began = time.monotonic()
        await self._events.emit("tool_executing", self._beginning(), wait=wait)

    async def finish(self, status: str, *, result: Any = None, error: str | None = None) -> None:
        """`tool_completed` with status `ok`, `error`, `denied` or `cancelled`."""
        if self.tool_call_id in self._events.grammar.tools:  # else it was closed already, by the end of the run
            await self._events.emit("tool_completed", self._completion(status, result=result, error=error))

    def _beginning(self) -> dict[str, Any]:
        return {"tool_call_id": self.tool_call_id, "tool_name": self.name, "arguments": self.arguments}

    def _completion(self, status: str, *, result: Any = None, error: str | None = None) -> dict[str, Any]:
        data: dict[str, Any] = {"tool_call_id": self.tool_call_id, "tool_name": self.name, "status": status}
        if status == "ok":
            data["result"] = result
        else:
            data["error"] = error or ""
        data["duration_ms"] = round((time.monotonic() - self._began) * 1000, 3)
        return data

"""What an agent's body works with: whose run it is, and how to tell the person what happens.

Every method says its event at once and in order; the grammar of the run holds whatever the body does with them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import msgspec

from netra.agents.authoring.facts import Decision, PastRun
from netra.agents.authoring.run_events import RunEvents
from netra.agents.authoring.steps import MessageStream, ToolCall
from netra.agents.authoring.time_limit import TimeLimit
from netra.agents.blocking.pool import in_blocking_thread
from netra.agents.conf import conf
from netra.agents.texts import expressible, storable
from websocket_core import extras
from websocket_core.ids import RunID, ThreadID, UserID, new_id
from websocket_core.wire import encoding

T = TypeVar("T")

USAGE_CHARS = 8192
MAX_TOOL_CALL_ID = 128  # a column's length, in `Approval`
MAX_EXPIRES_IN = 10 * 366 * 24 * 3600
FINISH_REASONS = ("length", "content_filter")  # those that are told


class RunPort(Protocol):
    """What a context needs from the runtime; a run outside the runtime has none."""

    async def request_approval(
        self, events: RunEvents, data: dict[str, Any], expires_in: float, answer_schema: dict[str, Any] | None
    ) -> None:
        """Record an approval together with its event."""

    async def decision(self, approval_id: str) -> Decision:
        """Wait until the approval is decided."""

    async def recall(self, key: str) -> bytes | None:
        """What was remembered for the thread under this key."""

    async def remember(self, key: str, data: bytes) -> None:
        """Remember it for the thread."""


@dataclass(slots=True)
class RunInfo:
    """Whose run it is, and what came before it."""

    user_id: UserID
    thread_id: ThreadID
    run_id: RunID
    history: Sequence[PastRun] = field(default_factory=list)
    load_history: Callable[[], list[PastRun]] | None = None  # instead: loads it when it is asked for


class AgentContext:
    """The body's side of a run.

    Attributes:
        user_id, thread_id, run_id: whose run it is.
    """

    def __init__(self, info: RunInfo, events: RunEvents, port: RunPort | None = None) -> None:
        self.user_id, self.thread_id, self.run_id = info.user_id, info.thread_id, info.run_id
        self._history = list(info.history)
        self._load_history = info.load_history
        self.events = events
        self.usage: dict[str, Any] | None = None  # reported so far, by the run's earlier executions too
        self.finish_reason: str | None = None
        self.time_limit: TimeLimit | None = None  # set when the body begins
        self._port = port
        self._stop = asyncio.Event()
        self._on_cancel: list[Callable[[], None]] = []
        self._thought: str | None = None

    @property
    def history(self) -> list[PastRun]:
        """Earlier runs of the thread, oldest first: at most `NETRA_HISTORY_RUNS`, and `NETRA_HISTORY_BYTES` of what
        they were given and gave. See `netra.agents.execution.past_runs` for when they are loaded.
        """
        if self._load_history is not None:
            self._history, self._load_history = self._load_history(), None
        return self._history

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
        message_id = new_id()
        await self.events.delta("agent_message", message_id, text)
        await self.events.end_stream("agent_message", message_id)

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
            tool_call_id: the model's; one that the run has had already gets a number behind it (`call.tool_call_id`).
            approval: the decision that was asked for it: its `tool_call_id` is carried on; when it was denied, the
                pair of events says `denied` and `ToolDenied` is raised.
        """
        self._thought = None
        call_id = storable(tool_call_id or (approval.tool_call_id if approval else None) or new_id())
        call_id = _unused(call_id, self.events.grammar.used)
        self.events.grammar.used.add(call_id)
        return ToolCall(self.events, storable(name), {} if arguments is None else arguments, call_id, approval)

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

        Raises:
            ValueError: `arguments` have no JSON form or are too large, or another argument is not one that can be.
        """
        if tool_call_id is not None:
            tool_call_id = _unused(storable(tool_call_id), self.events.grammar.asked)
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
        answer_schema: dict[str, Any] | None = None,
    ) -> str:
        """Ask the person without waiting; for bodies that return `Rest`. Returns the approval's id.

        Raises:
            ValueError: `arguments` have no JSON form or are too large; the run has asked about a call of this id, by
                which `proceed` gets its decision; or another argument is not one that can be.
            ImportError: `answer_schema` is given, and the package that judges by it is not installed.
        """
        if self._port is None:
            raise RuntimeError(
                "approvals need a run that was started through Netra (start_agent), so that somebody can answer"
            )
        if tool_call_id is not None and len(tool_call_id) > MAX_TOOL_CALL_ID:
            raise ValueError(f"a tool_call_id has at most {MAX_TOOL_CALL_ID} characters, not {len(tool_call_id)}")
        if tool_call_id is not None and storable(tool_call_id) in self.events.grammar.asked:
            raise ValueError(f"the run has asked about {tool_call_id!r} before: give every question an id of its own")
        if answer_schema is not None:
            extras.require("jsonschema_rs", "answer_schema")
        seconds = conf.APPROVAL_HOURS * 3600 if expires_in is None else expires_in
        if not 0 <= seconds <= MAX_EXPIRES_IN:
            raise ValueError(f"expires_in is a number of seconds, at most {MAX_EXPIRES_IN:,}; not {expires_in!r}")
        self._thought = None
        approval_id = new_id()
        data = {
            "approval_id": approval_id,
            "tool_call_id": storable(tool_call_id or new_id()),
            "tool_name": storable(tool_name),
            "arguments": {} if arguments is None else expressible(arguments),
            "message": storable(message),
        }
        await self._port.request_approval(self.events, data, seconds, answer_schema)
        return approval_id

    def report_usage(self, usage: Mapping[str, Any]) -> None:
        """What the run has used so far (tokens, requests): shown with its end, however it ends.

        To be called as often as there is news, each time with the whole: a run that is stopped, or whose process dies,
        is told with what was reported last.

        Raises:
            ValueError: it has no JSON form, or is larger than 8 KiB.
        """
        text = encoding.encode(expressible(dict(usage)))
        if len(text) > USAGE_CHARS:
            raise ValueError(f"usage is a few numbers, at most {USAGE_CHARS:,} characters as JSON; not {len(text):,}")
        self.usage = msgspec.json.decode(text)

    def report_finish_reason(self, reason: str | None) -> None:
        """Why the model stopped, in the provider's word: `length` and `content_filter` are told with the run's end.

        The last call counts; any other word means that the model came to an end by itself.
        """
        self.finish_reason = reason if reason in FINISH_REASONS else None

    async def recall(self, key: str) -> bytes | None:
        """What an earlier run of this thread remembered under this key."""
        return await self._port.recall(key) if self._port else None

    async def remember(self, key: str, data: bytes) -> None:
        """Remember something for later runs of this thread."""
        if self._port is not None:
            await self._port.remember(key, data)

    async def to_thread(self, function: Callable[..., T], *args: Any) -> T:
        """Run a blocking function without holding anybody up. When the run is stopped the function goes on, unheard."""
        return await in_blocking_thread(self.user_id, function, *args)


def _unused(call_id: str, used: Container[str]) -> str:
    """An id names one call: models give the same one twice, in a run and even in an answer."""
    found, number = call_id, 1
    while found in used:
        number += 1
        found = f"{call_id}~{number}"
    return found

"""The context of an agent's body: identifies the run, and emits its events.

Every method emits its event at once and in order. The grammar of the run holds, whatever the body does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from netra.agents.authoring.asking import Asking, RunPort
from netra.agents.authoring.facts import Decision, PastRun
from netra.agents.authoring.questions import unused
from netra.agents.authoring.run_events import RunEvents
from netra.agents.authoring.steps import MessageStream, ToolCall
from netra.agents.authoring.time_limit import TimeLimit
from netra.agents.blocking.pool import in_blocking_thread
from netra.agents.texts import expressible, storable
from netra.agents.usage.reported import with_entry
from websocket_core.ids import RunID, ThreadID, UserID, new_id
from websocket_core.wire import encoding, events

T = TypeVar("T")

USAGE_CHARS = 1024  # of one entry
FINISH_REASONS = ("length", "content_filter")  # the reasons that are reported


@dataclass(slots=True)
class RunInfo:
    """Identifies a run, with the earlier runs of its thread."""

    user_id: UserID
    thread_id: ThreadID
    run_id: RunID
    history: Sequence[PastRun] = field(default_factory=list)
    load_history: Callable[[], list[PastRun]] | None = None  # loads the history on first use, instead of `history`


class AgentContext(Asking):
    """The context of a run, for the agent's body.

    Attributes:
        user_id, thread_id, run_id: the run's user, thread and id.
    """

    def __init__(self, info: RunInfo, events: RunEvents, port: RunPort | None = None) -> None:
        self.user_id, self.thread_id, self.run_id = info.user_id, info.thread_id, info.run_id
        self._history = list(info.history)
        self._load_history = info.load_history
        self.events = events
        self.usage: list[dict[str, Any]] | None = None  # reported so far, also by earlier executions of the run
        self.finish_reason: str | None = None
        self.time_limit: TimeLimit | None = None  # set when the body begins
        self._port = port
        self._stop = asyncio.Event()
        self._on_cancel: list[Callable[[], None]] = []
        self._thought: str | None = None

    @property
    def history(self) -> list[PastRun]:
        """Earlier runs of the thread, oldest first: at most `NETRA_HISTORY_RUNS`.

        Their inputs and results have at most `NETRA_HISTORY_BYTES` together. `netra.agents.execution.past_runs`
        explains when they are loaded.
        """
        if self._load_history is not None:
            self._history, self._load_history = self._load_history(), None
        return self._history

    @property
    def cancelled(self) -> bool:
        """Whether the run was stopped. An async body need not check this: it receives `CancelledError`."""
        return self._stop.is_set()

    def cancel(self) -> None:
        """Called by the runtime when the run is stopped."""
        self._stop.set()
        for callback in self._on_cancel:
            callback()

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Call `callback` in the event loop when the run is stopped."""
        self._on_cancel.append(callback)

    async def think(self, text: str, stream: str | None = None) -> None:
        """Append text to a thought.

        Args:
            stream: the id of the thought; `None` is the current one, which a tool call ends.
        """
        if stream is None:
            stream = self._thought = self._thought or new_id()
        await self.events.delta("agent_thinking", stream, text)

    async def say(self, text: str) -> None:
        """Send a complete answer, or a paragraph of it, as a separate message."""
        if text != "":
            await self.events.delta("agent_message", new_id(), text, last=True)

    def message(self, message_id: str | None = None) -> MessageStream:
        """A streamed answer: `async with ctx.message() as m: await m.append(delta)`."""
        return MessageStream(self.events, message_id or new_id())

    async def publish_state(self, state: Any) -> None:
        """Publish any state of the agent (JSON), as `agent_state`."""
        await self.events.emit("agent_state", {"state": state})

    async def publish_data(self, name: str, data: Any, *, id: str | None = None, transient: bool = False) -> None:  # noqa: A002
        """Publish data (JSON) for the page, as `agent_data`.

        Args:
            name: tells the page what it is: 1 to 64 of `a-z 0-9 _ . -`, not beginning with `netra.`.
            id: data with the same name and id replaces the earlier one.
            transient: it is shown live and in replays, but it is not part of folded histories.

        Raises:
            ValueError: `name` or `id` is not valid, or `data` has no JSON form or is too large.
        """
        fields: dict[str, Any] = {"name": name, "data": data}
        if id is not None:
            fields["id"] = id
        if transient:
            fields["transient"] = True
        events.check_data(fields)
        await self.events.emit("agent_data", fields)

    def tool(
        self, name: str, arguments: Any = None, *, tool_call_id: str | None = None, approval: Decision | None = None
    ) -> ToolCall:
        """A tool call: `async with ctx.tool("search", {"q": q}) as call: call.result = await search(q)`.

        Args:
            tool_call_id: the model's id for the call. If the run has already used it, a number is appended
                (`call.tool_call_id`).
            approval: the decision that was requested for this call. The call takes over its `tool_call_id`. If it was
                denied, the pair of events has the status `denied`, and `ToolDenied` is raised. `arguments` that are not
                given are the decision's.

        Raises:
            ValueError: the person has edited the arguments, and these are others.
        """
        self._thought = None
        call_id = storable(tool_call_id or (approval.tool_call_id if approval else None) or new_id())
        call_id = unused(call_id, self.events.grammar.used)
        self.events.grammar.used.add(call_id)
        if approval is not None:
            if arguments is None:
                arguments = approval.arguments
            elif approval.edited and arguments != approval.arguments:
                raise ValueError("the arguments were edited: run the call with the decision's arguments")
        return ToolCall(self.events, storable(name), {} if arguments is None else arguments, call_id, approval)

    def report_usage(self, usage: Mapping[str, Any]) -> None:
        """Report what one model call has used. Each call of this method adds an entry to the `usage` of the terminal
        event, however the run ends.

        Args:
            usage: `provider`, `model`, `input_tokens`, `output_tokens`, `total_tokens`, `reasoning_tokens`,
                `cached_input_tokens`, `cache_write_input_tokens`, as far as they are known.

        Raises:
            ValueError: it has no JSON form, or more than 1,024 characters as JSON; or it names too many models.
        """
        text = encoding.encode(expressible(dict(usage)))
        if len(text) > USAGE_CHARS:
            raise ValueError(f"usage must be small, at most {USAGE_CHARS:,} characters as JSON; not {len(text):,}")
        self.usage = with_entry(self.usage, msgspec.json.decode(text))

    def report_finish_reason(self, reason: str | None) -> None:
        """Report why the model stopped, in the provider's words. The run's end shows `length` and `content_filter`.

        The last call counts. Any other word means that the model finished by itself.
        """
        self.finish_reason = reason if reason in FINISH_REASONS else None

    async def recall(self, key: str) -> bytes | None:
        """The bytes that an earlier run of this thread remembered under this key."""
        return await self._port.recall(key) if self._port else None

    async def remember(self, key: str, data: bytes) -> None:
        """Remember bytes for later runs of this thread."""
        if self._port is not None:
            await self._port.remember(key, data)

    async def to_thread(self, function: Callable[..., T], *args: Any) -> T:
        """Run a blocking function in a thread. If the run is stopped, the function continues without effect on it."""
        return await in_blocking_thread(self.user_id, function, *args)

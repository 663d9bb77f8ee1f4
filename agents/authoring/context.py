"""The context of an agent's body: identifies the run, and emits its events.

Every method emits its event at once and in order. The grammar of the run holds, whatever the body does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import msgspec

from netra.agents.authoring.facts import Decision, PastRun
from netra.agents.authoring.questions import MAX_BATCH, Question, question
from netra.agents.authoring.run_events import RunEvents
from netra.agents.authoring.steps import MessageStream, ToolCall
from netra.agents.authoring.time_limit import TimeLimit
from netra.agents.blocking.pool import in_blocking_thread
from netra.agents.errors import ToolDenied, ToolError
from netra.agents.texts import expressible, storable
from netra.agents.usage.reported import with_entry
from websocket_core.ids import RunID, ThreadID, UserID, new_id
from websocket_core.wire import encoding, events

T = TypeVar("T")

USAGE_CHARS = 1024  # of one entry
FINISH_REASONS = ("length", "content_filter")  # the reasons that are reported


class RunPort(Protocol):
    """What a context needs from the runtime. A run outside the runtime has none."""

    async def request_approvals(self, events: RunEvents, questions: Sequence[Question]) -> None:
        """Record approvals, all or none, together with their events."""

    async def decision(self, approval_id: str) -> Decision:
        """Wait until the approval is decided."""

    async def recall(self, key: str) -> bytes | None:
        """The bytes remembered for the thread under this key."""

    async def remember(self, key: str, data: bytes) -> None:
        """Remember bytes for the thread."""


@dataclass(slots=True)
class RunInfo:
    """Identifies a run, with the earlier runs of its thread."""

    user_id: UserID
    thread_id: ThreadID
    run_id: RunID
    history: Sequence[PastRun] = field(default_factory=list)
    load_history: Callable[[], list[PastRun]] | None = None  # loads the history on first use, instead of `history`


class AgentContext:
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
        call_id = _unused(call_id, self.events.grammar.used)
        self.events.grammar.used.add(call_id)
        if approval is not None:
            if arguments is None:
                arguments = approval.arguments
            elif approval.edited and arguments != approval.arguments:
                raise ValueError("the arguments were edited: run the call with the decision's arguments")
        return ToolCall(self.events, storable(name), {} if arguments is None else arguments, call_id, approval)

    async def approve(
        self,
        message: str,
        *,
        tool_name: str = "",
        arguments: Any = None,
        tool_call_id: str | None = None,
        expires_in: float | None = None,
        edit: bool = False,
        kind: str = "approval",
        schema: dict[str, Any] | None = None,
    ) -> Decision:
        """Ask a person and wait for the answer.

        The wait occupies this process, but does not count towards the agent's timeout. `Rest` is for agents that need
        not occupy a process.

        Args:
            message: the question.
            expires_in: seconds until the question expires, after which `approved` is false. The default is
                `NETRA_APPROVAL_HOURS`.
            edit: the person may edit the arguments; `Decision.arguments` has them.
            kind: `approval`; `input`: the person enters a value (`Decision.value`); `tool`: the page runs a tool
                (`client_tool`).
            schema: JSON Schema of the answer, or of the arguments that may be edited. It tells the page what to show;
                nothing is validated by it here.

        Raises:
            ValueError: `arguments` have no JSON form or are too large, or another argument is invalid.
        """
        (decision,) = await self.approve_all(
            [
                {
                    "message": message,
                    "tool_name": tool_name,
                    "arguments": arguments,
                    "tool_call_id": tool_call_id,
                    "expires_in": expires_in,
                    "edit": edit,
                    "kind": kind,
                    "schema": schema,
                }
            ]
        )
        return decision

    async def approve_all(self, questions: Sequence[Mapping[str, Any]]) -> list[Decision]:
        """Ask several questions together, and wait for all answers.

        Args:
            questions: the arguments of `approve` for each, `message` included; at most 100.

        Returns:
            The decisions, in the order of the questions.

        Raises:
            ValueError: as for `approve`. Nothing is asked.
        """
        asked, renamed = {*self.events.grammar.asked}, []
        for fields in questions:
            call_id = fields.get("tool_call_id")
            if call_id is not None:
                call_id = _unused(storable(call_id), asked)
                asked.add(call_id)
            renamed.append({**fields, "tool_call_id": call_id})
        approval_ids = await self.request_approvals(renamed)
        port = self._port
        if port is None:
            return []
        with nullcontext() if self.time_limit is None else self.time_limit.paused():
            return list(await asyncio.gather(*[port.decision(approval_id) for approval_id in approval_ids]))

    async def client_tool(
        self,
        name: str,
        arguments: Any = None,
        *,
        schema: dict[str, Any] | None = None,
        tool_call_id: str | None = None,
        expires_in: float | None = None,
    ) -> Any:
        """Let the user's page run a tool, and wait for its result.

        Args:
            schema: JSON Schema of the result, for the page. Nothing is validated by it here.

        Returns:
            The result, as the page sent it.

        Raises:
            ToolError: the page's tool failed. The text is the page's.
            ToolDenied: no page has answered in time.
        """
        decision = await self.approve(
            "",
            tool_name=name,
            arguments=arguments,
            tool_call_id=tool_call_id,
            expires_in=expires_in,
            kind="tool",
            schema=schema,
        )
        if decision.approved:
            return decision.value
        if decision.by != "user":
            raise ToolDenied(f"No page has run {name} in time.")
        words = decision.value if isinstance(decision.value, str) else ""
        raise ToolError(words or f"{name} failed on the page.")

    async def request_approval(self, message: str, **options: Any) -> str:
        """Ask a person without waiting, for bodies that return `Rest`. Returns the approval's id.

        Args:
            message: the question.
            options: those of `approve`, and `answer_schema`: JSON Schema of the value of a yes, by which answers are
                checked.

        Raises:
            ValueError: `arguments` have no JSON form or are too large, or another argument is invalid. Or the run has
                already asked about a call with this id, by which `proceed` finds the decision.
            ImportError: `answer_schema` is given, but the package for JSON Schema is not installed.
        """
        (approval_id,) = await self.request_approvals([{"message": message, **options}])
        return approval_id

    async def request_approvals(self, questions: Sequence[Mapping[str, Any]]) -> list[str]:
        """Ask several questions together without waiting: all of them are asked, or none.

        Args:
            questions: the arguments of `request_approval` for each; at most 100.

        Returns:
            The ids of the approvals.

        Raises:
            ValueError, ImportError: as for `request_approval`. Nothing is asked.
        """
        if self._port is None:
            raise RuntimeError(
                "approvals need a run that was started through Netra (start_agent), so that a person can answer"
            )
        if len(questions) > MAX_BATCH:
            raise ValueError(f"at most {MAX_BATCH} questions can be asked together, not {len(questions)}")
        asked, made = {*self.events.grammar.asked}, []
        for number, fields in enumerate(questions, 1):
            one = question(**{**fields, "asked": asked})
            asked.add(one.data["tool_call_id"])
            if number < len(questions):
                one.data["more"] = True
            made.append(one)
        self._thought = None
        if made:
            await self._port.request_approvals(self.events, made)
        return [one.data["approval_id"] for one in made]

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


def _unused(call_id: str, used: Container[str]) -> str:
    """Make an id unique: models use the same id again, within a run and even within an answer."""
    found, number = call_id, 1
    while found in used:
        number += 1
        found = f"{call_id}~{number}"
    return found

"""Interrupts: a person is asked, the run rests in the database, and the graph goes on from its checkpoint.

Three shapes of what a graph says with `interrupt(value)` are known: the requests of LangChain's human-in-the-loop
middleware, the older `HumanInterrupt`, and anything else, which is a question.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
from langchain_core.messages import AIMessage, BaseMessage
from langgraph.types import Command, Interrupt

from agents.adapters.call_ids import CallIds
from agents.adapters.shown import clean, shown
from agents.context import AgentContext, Decision, Rest
from agents.errors import AgentError, ToolDenied
from websocket_core.ids import new_id

Shape = Literal["question", "actions", "human", "humans", "breakpoint"]


class Asked(msgspec.Struct, frozen=True):
    """One question to a person.

    Attributes:
        interrupt_id: the interrupt it belongs to; the requests of one interrupt are answered together.
        tool_name: the tool it is about; empty when it is about none.
    """

    interrupt_id: str
    shape: Shape
    tool_call_id: str
    tool_name: str
    arguments: Any
    message: str


class Resting(msgspec.Struct, frozen=True):
    """What a resting run needs to go on; the rest is in the thread's checkpoints."""

    input: Any
    asked: list[Asked]
    calls: dict[str, str]  # the model's ids of the tool calls that were asked about -> their ids in events
    used_ids: list[str]
    usage: dict[str, int]


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Resting)


class Questions:
    """Turns interrupts into approvals.

    Args:
        ids: the ids of the run's tool calls.
        messages: the conversation, in whose last answer the tool calls are that are asked about.
    """

    def __init__(self, ids: CallIds, messages: Sequence[BaseMessage]) -> None:
        self._ids = ids
        self._open = _open_calls(messages)
        self.calls: dict[str, str] = {}
        self.asked: list[Asked] = []

    def interrupts(self, interrupts: Iterable[Interrupt[Any]]) -> None:
        """What the graph asks."""
        for interrupt in interrupts:
            value = interrupt.value
            if isinstance(value, dict) and isinstance(value.get("action_requests"), list):
                for request in value["action_requests"]:
                    self._action(interrupt.id, "actions", request, request.get("name"), request.get("description"))
            elif _is_human(value):
                self._human(interrupt.id, "human", value)
            elif isinstance(value, list) and value and all(map(_is_human, value)):
                for one in value:
                    self._human(interrupt.id, "humans", one)
            else:
                self._question(interrupt.id, value)

    def breakpoint(self, nodes: Sequence[str]) -> None:
        """The graph was compiled to stop here (`interrupt_before`, `interrupt_after`)."""
        self._ask("", "breakpoint", "", {"next": list(nodes)}, f"Go on with {', '.join(nodes)}?", None)

    async def ask(self, ctx: AgentContext, input: Any, usage: dict[str, int]) -> Rest:
        """Ask it all, then rest.

        Raises:
            AgentError: a question cannot be shown.
        """
        for one in self.asked:
            try:
                await ctx.request_approval(
                    one.message, tool_name=one.tool_name, arguments=one.arguments, tool_call_id=one.tool_call_id
                )
            except ValueError as error:  # too large
                raise AgentError(f"The graph asked something that cannot be shown: {error}.") from error
        return Rest(_encoder.encode(Resting(input, self.asked, self.calls, sorted(self._ids.used), usage)))

    def _human(self, interrupt_id: str, shape: Shape, value: dict[str, Any]) -> None:
        request = value["action_request"]
        self._action(interrupt_id, shape, request, request.get("action"), value.get("description"))

    def _action(self, interrupt_id: str, shape: Shape, request: dict[str, Any], name: Any, description: Any) -> None:
        tool_name, arguments = clean(str(name or "")), request.get("args") or {}
        model_id = self._open.pop(_fingerprint(tool_name, arguments), None)
        message = clean(description) if isinstance(description, str) and description else f"Allow {tool_name}?"
        self._ask(interrupt_id, shape, tool_name, arguments, message, model_id)

    def _question(self, interrupt_id: str, value: Any) -> None:
        """A question in the graph's own words; a dict may name `message` (or `question`), `tool_name`, `arguments`."""
        if not isinstance(value, dict):
            text = value if isinstance(value, str) else _encoder.encode(shown(value)).decode()
            return self._ask(interrupt_id, "question", "", {}, clean(text), None)
        words = next((value[key] for key in ("message", "question") if isinstance(value.get(key), str)), "")
        tool_name = value["tool_name"] if isinstance(value.get("tool_name"), str) else ""
        rest = {key: item for key, item in value.items() if key not in ("message", "question", "tool_name")}
        arguments = value.get("arguments", rest)
        model_id = self._open.pop(_fingerprint(tool_name, arguments), None)
        default = f"Allow {tool_name}?" if tool_name else "Go on?"
        return self._ask(interrupt_id, "question", clean(tool_name), arguments, clean(words or default), model_id)

    def _ask(
        self, interrupt_id: str, shape: Shape, tool_name: str, arguments: Any, message: str, model_id: str | None
    ) -> None:
        tool_call_id = self._ids.fresh(model_id or new_id())
        if model_id is not None:
            self.calls[model_id] = tool_call_id
        self.asked.append(Asked(interrupt_id, shape, tool_call_id, tool_name, shown(arguments), message))


def load(memory: bytes) -> Resting:
    """What a resting run left.

    Raises:
        AgentError: it cannot be read any more.
    """
    try:
        return _decoder.decode(memory)
    except msgspec.DecodeError as error:
        raise AgentError("This run rested before an update and cannot go on. Start it again.") from error


async def answers(ctx: AgentContext, resting: Resting, decisions: dict[str, Decision]) -> Command[Any] | None:
    """What the graph goes on with. Tool calls that were denied are told here.

    Returns:
        `None` to go on past a breakpoint.

    Raises:
        ToolDenied: a person did not let the graph go on past a breakpoint.
    """
    collected: dict[str, list[Any]] = {}
    shapes: dict[str, Shape] = {}
    for one in resting.asked:
        decision = decisions[one.tool_call_id]
        if not decision.approved and one.tool_name:
            await _tell_denied(ctx, one, decision)
        if one.shape == "breakpoint":
            if not decision.approved:
                raise ToolDenied("The graph was not allowed to go on.")
            return None
        shapes[one.interrupt_id] = one.shape
        collected.setdefault(one.interrupt_id, []).append(_answer(one.shape, decision))
    resume = {
        interrupt_id: {"decisions": given} if shapes[interrupt_id] == "actions" else given
        for interrupt_id, given in collected.items()
    }
    for interrupt_id, given in collected.items():
        if shapes[interrupt_id] in ("question", "human"):
            resume[interrupt_id] = given[0]
    return Command(resume=resume)


def ids_of(resting: Resting) -> CallIds:
    """The ids of the calls of a run that goes on."""
    return CallIds(resting.used_ids, resting.calls)


def _answer(shape: Shape, decision: Decision) -> Any:
    text = decision.value if isinstance(decision.value, str) else None
    if shape == "actions":
        if decision.approved:
            return {"type": "approve"}
        return {"type": "reject", "message": text} if text else {"type": "reject"}
    if shape in ("human", "humans"):
        if decision.approved:
            return {"type": "accept", "args": None}
        return {"type": "response", "args": text} if text else {"type": "ignore", "args": None}
    # A denied question is plainly false: words of refusal must not look like an answer.
    if not decision.approved:
        return False
    return True if decision.value is None else decision.value


async def _tell_denied(ctx: AgentContext, asked: Asked, decision: Decision) -> None:
    try:
        async with ctx.tool(asked.tool_name, asked.arguments, approval=decision):
            pass
    except ToolDenied:
        pass


def _is_human(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("action_request"), dict)


def _open_calls(messages: Sequence[BaseMessage]) -> dict[str, str]:
    """The tool calls of the last answer, by what they call with what."""
    last = next((message for message in reversed(messages) if isinstance(message, AIMessage)), None)
    calls = last.tool_calls if last is not None else []
    return {_fingerprint(call["name"], call["args"]): call_id for call in calls if (call_id := call.get("id"))}


def _fingerprint(tool_name: str, arguments: Any) -> str:
    return f"{tool_name} {_encoder.encode(shown(arguments)).decode()}"

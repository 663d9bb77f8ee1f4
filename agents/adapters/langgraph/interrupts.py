"""Interrupts: a person is asked, the run rests in the database, and the graph goes on from its checkpoint.

What a graph says with `interrupt(value)` may be a request of LangChain's human-in-the-loop middleware (for one tool
call, or for all of an answer), an older `HumanInterrupt`, or anything else, which is a question.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
from langchain_core.messages import AIMessage, BaseMessage
from langgraph.types import Command, Interrupt

from agents.adapters.call_ids import CallIds
from agents.adapters.shown import clean, shown
from agents.context import AgentContext
from agents.errors import AgentError, ToolDenied
from agents.facts import Decision, Rest
from websocket_core.ids import new_id

# How an interrupt wants to be answered: by a value; by one decision, or a list of them; by one response, or a list.
Shape = Literal["question", "action", "actions", "human", "humans", "breakpoint"]

NO_ANSWER = "The person gave no answer."


class Asked(msgspec.Struct, frozen=True):
    """One question to a person.

    Attributes:
        interrupt_id: the interrupt it belongs to; the requests of one interrupt are answered together.
        tool_name: the tool it is about; empty when it is about none.
        responds: the person's words are the tool's result; it does not run.
    """

    interrupt_id: str
    shape: Shape
    tool_call_id: str
    tool_name: str
    arguments: Any
    message: str
    responds: bool = False


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
                    responds = _only_responds(request.get("name"), value.get("review_configs"))
                    self._action(interrupt.id, "actions", request, request.get("description"), responds=responds)
            elif isinstance(value, dict) and value.get("type") == "tool_approval":
                responds = "approve" not in str(interrupt.response_schema or "approve")
                self._action(interrupt.id, "action", value, value.get("description"), responds=responds)
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
        named = {"name": request.get("action"), "args": request.get("args")}
        self._action(interrupt_id, shape, named, value.get("description"))

    def _action(
        self, interrupt_id: str, shape: Shape, request: dict[str, Any], description: Any, *, responds: bool = False
    ) -> None:
        tool_name, arguments = clean(str(request.get("name") or "")), request.get("args") or {}
        model_id = request.get("tool_call_id") or self._open.pop(_fingerprint(tool_name, arguments), None)
        default = f"{tool_name} needs an answer" if responds else f"Allow {tool_name}?"
        message = clean(description) if isinstance(description, str) and description else default
        self._ask(interrupt_id, shape, tool_name, arguments, message, model_id, responds=responds)

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
        self,
        interrupt_id: str,
        shape: Shape,
        tool_name: str,
        arguments: Any,
        message: str,
        model_id: str | None,
        *,
        responds: bool = False,
    ) -> None:
        tool_call_id = self._ids.fresh(model_id or new_id())
        if model_id is not None:
            self.calls[model_id] = tool_call_id
        self.asked.append(Asked(interrupt_id, shape, tool_call_id, tool_name, shown(arguments), message, responds))


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
    """What the graph goes on with. Tool calls that will not run are told here: denied ones, answered ones.

    Returns:
        `None` to go on past a breakpoint.

    Raises:
        ToolDenied: a person did not let the graph go on past a breakpoint.
    """
    resume: dict[str, Any] = {}
    for one in resting.asked:
        decision = decisions[one.tool_call_id]
        if one.tool_name and (one.responds or not decision.approved):
            await _tell(ctx, one, decision)
        if one.shape == "breakpoint":
            if not decision.approved:
                raise ToolDenied("The graph was not allowed to go on.")
            return None
        answer = _answer(one, decision)
        if one.shape == "actions":
            resume.setdefault(one.interrupt_id, {"decisions": []})["decisions"].append(answer)
        elif one.shape == "humans":
            resume.setdefault(one.interrupt_id, []).append(answer)
        else:
            resume[one.interrupt_id] = answer
    return Command(resume=resume)


def ids_of(resting: Resting) -> CallIds:
    """The ids of the calls of a run that goes on."""
    return CallIds(resting.used_ids, resting.calls)


def _answer(asked: Asked, decision: Decision) -> Any:
    text = decision.value if isinstance(decision.value, str) else ""
    if asked.shape in ("action", "actions"):
        if asked.responds:
            words = text or (_encoder.encode(decision.value).decode() if decision.approved else NO_ANSWER)
            return {"type": "respond", "message": words}
        if decision.approved:
            return {"type": "approve"}
        return {"type": "reject", "message": text} if text else {"type": "reject"}
    if asked.shape in ("human", "humans"):
        if decision.approved:
            return {"type": "accept", "args": None}
        return {"type": "response", "args": text} if text else {"type": "ignore", "args": None}
    # A denied question is plainly false: words of refusal must not look like an answer.
    if not decision.approved:
        return False
    return True if decision.value is None else decision.value


async def _tell(ctx: AgentContext, asked: Asked, decision: Decision) -> None:
    try:
        async with ctx.tool(asked.tool_name, asked.arguments, approval=decision) as told:
            told.result = decision.value
    except ToolDenied:
        pass


def _only_responds(name: Any, review_configs: Any) -> bool:
    """Whether a tool is one that asks the person: all they may do is answer."""
    for config in review_configs if isinstance(review_configs, list) else ():
        if isinstance(config, dict) and config.get("action_name") == name:
            allowed = config.get("allowed_decisions") or ()
            return "respond" in allowed and "approve" not in allowed
    return False


def _is_human(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("action_request"), dict)


def _open_calls(messages: Sequence[BaseMessage]) -> dict[str, str]:
    """The tool calls of the last answer, by what they call with what."""
    last = next((message for message in reversed(messages) if isinstance(message, AIMessage)), None)
    calls = last.tool_calls if last is not None else []
    return {_fingerprint(call["name"], call["args"]): call_id for call in calls if (call_id := call.get("id"))}


def _fingerprint(tool_name: str, arguments: Any) -> str:
    return f"{tool_name} {_encoder.encode(shown(arguments)).decode()}"

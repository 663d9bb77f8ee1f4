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

from netra.agents.adapters.call_ids import CallIds
from netra.agents.adapters.shown import clean, plain, shown
from netra.agents.authoring.context import AgentContext
from netra.agents.authoring.facts import Decision, Rest
from netra.agents.errors import AgentError, ToolDenied
from netra.agents.ledger import answers as approval_answers
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
        model_id: the model's id of the call it is about, if it is known.
        inside: the call itself has asked: it runs again, to hear the answer.
        answer_schema: JSON Schema of what may come with a yes.
    """

    interrupt_id: str
    shape: Shape
    tool_call_id: str
    tool_name: str
    arguments: Any
    message: str
    responds: bool = False
    model_id: str = ""
    inside: bool = False
    answer_schema: dict[str, Any] | None = None


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
        conversations: those of the graph and its subgraphs, in whose last answers the tool calls are that are asked
            about.
    """

    def __init__(self, ids: CallIds, conversations: Iterable[Sequence[BaseMessage]]) -> None:
        self._ids = ids
        self._open = _open_calls(conversations)
        self.calls: dict[str, str] = {}
        self.asked: list[Asked] = []

    def interrupts(self, interrupts: Iterable[Interrupt[Any]]) -> None:
        """What the graph asks."""
        for interrupt in interrupts:
            value = _as_json(interrupt.value)
            if isinstance(value, dict) and isinstance(value.get("action_requests"), list):
                for request in value["action_requests"]:
                    allowed = _allowed(request.get("name"), value.get("review_configs"))
                    self._action(interrupt.id, "actions", request, request.get("description"), allowed)
            elif isinstance(value, dict) and value.get("type") == "tool_approval":
                words = str(interrupt.response_schema or "")
                allowed = [name for name in ("approve", "edit", "reject", "respond") if name in words]
                self._action(interrupt.id, "action", value, value.get("description"), allowed)
            elif _is_human(value):
                self._human(interrupt.id, "human", value)
            elif isinstance(value, list) and value and all(map(_is_human, value)):
                for one in value:
                    self._human(interrupt.id, "humans", one)
            else:
                schema = interrupt.response_schema
                self._question(interrupt.id, value, schema if isinstance(schema, dict) else None)

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
                    one.message,
                    tool_name=one.tool_name,
                    arguments=one.arguments,
                    tool_call_id=one.tool_call_id,
                    answer_schema=one.answer_schema,
                )
            except ValueError as error:  # too large
                raise AgentError(f"The graph asked something that cannot be shown: {error}.") from error
        return Rest(_encoder.encode(Resting(input, self.asked, self.calls, sorted(self._ids.used), usage)))

    def _human(self, interrupt_id: str, shape: Shape, value: dict[str, Any]) -> None:
        request = value["action_request"]
        named = {"name": request.get("action"), "args": request.get("args")}
        self._action(interrupt_id, shape, named, value.get("description"))

    def _action(
        self, interrupt_id: str, shape: Shape, request: dict[str, Any], description: Any, allowed: Sequence[str] = ()
    ) -> None:
        """A request for one tool call.

        Args:
            allowed: the decisions that the graph takes; empty when it does not say.
        """
        tool_name, arguments = clean(str(request.get("name") or "")), request.get("args") or {}
        model_id = request.get("tool_call_id") or self._call_of(tool_name, arguments)
        responds = "respond" in allowed and "approve" not in allowed
        default = f"{tool_name} needs an answer" if responds else f"Allow {tool_name}?"
        message = clean(description) if isinstance(description, str) and description else default
        takes_yes = not allowed or "approve" in allowed
        schema = approval_answers.PLAIN_YES if takes_yes else approval_answers.NO_YES
        schema = approval_answers.WORDS if responds else schema
        self._ask(interrupt_id, shape, tool_name, arguments, message, model_id, responds=responds, schema=schema)

    def _question(self, interrupt_id: str, value: Any, schema: dict[str, Any] | None) -> None:
        """A question in the graph's own words; a dict may name `message` (or `question`), `tool_name`, `arguments`."""
        schema = approval_answers.usable(schema)
        if not isinstance(value, dict):
            text = value if isinstance(value, str) else _encoder.encode(shown(value)).decode()
            return self._ask(interrupt_id, "question", "", {}, clean(text), None, schema=schema)
        words = next((value[key] for key in ("message", "question") if isinstance(value.get(key), str)), "")
        tool_name = value["tool_name"] if isinstance(value.get("tool_name"), str) else ""
        rest = {key: item for key, item in value.items() if key not in ("message", "question", "tool_name")}
        arguments = value.get("arguments", rest)
        model_id = self._call_of(tool_name, arguments)
        message = clean(words or (f"Allow {tool_name}?" if tool_name else "Go on?"))
        return self._ask(interrupt_id, "question", clean(tool_name), arguments, message, model_id, schema=schema)

    def _call_of(self, tool_name: str, arguments: Any) -> str | None:
        """The model's id of the first call like this that was not asked about yet: requests come in their order."""
        calls = self._open.get(_fingerprint(tool_name, arguments))
        return calls.pop(0) if calls else None

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
        schema: dict[str, Any] | None = None,
    ) -> None:
        tool_call_id = self._ids.fresh(model_id or new_id())
        inside = model_id is not None and model_id in self._ids.interrupted
        if model_id is not None:
            self.calls[model_id] = tool_call_id
        self.asked.append(
            Asked(
                interrupt_id,
                shape,
                tool_call_id,
                tool_name,
                shown(arguments),
                message,
                responds,
                model_id or "",
                inside,
                schema,
            )
        )


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
        ToolDenied: a person did not let the graph go on past a breakpoint, or said no to a question that knows none.
    """
    resume: dict[str, Any] = {}
    for one in resting.asked:
        decision = decisions[one.tool_call_id]
        if one.tool_name and _will_not_run(one, decision):
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


def ids_of(resting: Resting, decisions: dict[str, Decision]) -> CallIds:
    """The ids of the calls of a run that goes on."""
    told, denied = set(), set()
    for one in resting.asked:
        decision = decisions[one.tool_call_id]
        if one.model_id and one.tool_name and _will_not_run(one, decision):
            told.add(one.model_id)
        elif one.model_id and not decision.approved:
            denied.add(one.model_id)
    return CallIds(resting.used_ids, resting.calls, told, denied)


def _will_not_run(asked: Asked, decision: Decision) -> bool:
    """Whether the call it is about does not run: it was denied, or the person gave its result.

    A call that has asked by itself runs again in any case, and is told then.
    """
    return not asked.inside and (asked.responds or not decision.approved)


def _answer(asked: Asked, decision: Decision) -> Any:
    text = _words(decision.value)
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
        if asked.answer_schema is not None and not approval_answers.fits(asked.answer_schema, False):
            raise ToolDenied("The question was answered with a no.")
        return False
    return True if decision.value is None else decision.value


def _words(value: Any) -> str:
    """The person's words: a text, or the text in a decision of LangChain's."""
    if isinstance(value, dict):
        value = next((value[name] for name in ("message", "args") if isinstance(value.get(name), str)), "")
    return value if isinstance(value, str) else ""


async def _tell(ctx: AgentContext, asked: Asked, decision: Decision) -> None:
    try:
        async with ctx.tool(asked.tool_name, asked.arguments, approval=decision) as told:
            told.result = decision.value
    except ToolDenied:
        pass


def _allowed(name: Any, review_configs: Any) -> Sequence[str]:
    """The decisions that the graph takes for a tool; empty when it does not say."""
    for config in review_configs if isinstance(review_configs, list) else ():
        if isinstance(config, dict) and config.get("action_name") == name:
            return config.get("allowed_decisions") or ()
    return ()


def _as_json(value: Any) -> Any:
    """What was asked, as plain objects: models and data classes are asked by their fields, messages by their text."""
    if isinstance(value, str):
        return value
    return value.text if isinstance(value, BaseMessage) else msgspec.json.decode(_encoder.encode(plain(value)))


def _is_human(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("action_request"), dict)


def _open_calls(conversations: Iterable[Sequence[BaseMessage]]) -> dict[str, list[str]]:
    """The ids of the tool calls of the last answers, by what they call with what, in their order."""
    found: dict[str, list[str]] = {}
    for messages in conversations:
        last = next((message for message in reversed(messages) if isinstance(message, AIMessage)), None)
        for call in last.tool_calls if last is not None else ():
            call_id, alike = call.get("id"), found.setdefault(_fingerprint(call["name"], call["args"]), [])
            if call_id and call_id not in alike:
                alike.append(call_id)
    return found


def _fingerprint(tool_name: str, arguments: Any) -> str:
    return f"{tool_name} {_encoder.encode(shown(arguments)).decode()}"

"""Converts a graph's questions into approvals, for a tool call or in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from langchain_core.messages import AIMessage, BaseMessage
from langgraph.types import Interrupt

from netra.agents.adapters.call_ids import CallIds
from netra.agents.adapters.langgraph.interrupts.resting import Asked, Resting, Shape, dump
from netra.agents.adapters.shown import clean, plain, shown
from netra.agents.authoring.context import AgentContext
from netra.agents.authoring.facts import Rest
from netra.agents.errors import AgentError
from netra.agents.ledger import answers as approval_answers
from websocket_core.ids import new_id

_encoder = msgspec.json.Encoder()


class Questions:
    """Converts interrupts into approvals.

    Args:
        ids: the ids of the run's tool calls.
        conversations: those of the graph and its subgraphs. Their last answers contain the tool calls in question.
    """

    def __init__(self, ids: CallIds, conversations: Iterable[Sequence[BaseMessage]]) -> None:
        self._ids = ids
        self._open = _open_calls(conversations)
        self.calls: dict[str, str] = {}
        self.asked: list[Asked] = []

    def interrupts(self, interrupts: Iterable[Interrupt[Any]]) -> None:
        """Add the graph's interrupts."""
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
        """Add a breakpoint, at which the graph was compiled to stop (`interrupt_before`, `interrupt_after`)."""
        self._ask("", "breakpoint", "", {"next": list(nodes)}, f"Continue with {', '.join(nodes)}?", None)

    async def ask(self, ctx: AgentContext, input: Any) -> Rest:
        """Ask all questions, then rest.

        Raises:
            AgentError: a question cannot be shown.
        """
        questions = [
            {
                "message": one.message,
                "tool_name": one.tool_name,
                "arguments": one.arguments,
                "tool_call_id": one.tool_call_id,
                "answer_schema": one.answer_schema,
            }
            for one in self.asked
        ]
        try:
            await ctx.request_approvals(questions)
        except ValueError as error:  # too large
            raise AgentError(f"The graph asked something that cannot be shown: {error}.") from error
        return Rest(dump(Resting(input, self.asked, self.calls, sorted(self._ids.used))))

    def _human(self, interrupt_id: str, shape: Shape, value: dict[str, Any]) -> None:
        request = value["action_request"]
        named = {"name": request.get("action"), "args": request.get("args")}
        self._action(interrupt_id, shape, named, value.get("description"))

    def _action(
        self, interrupt_id: str, shape: Shape, request: dict[str, Any], description: Any, allowed: Sequence[str] = ()
    ) -> None:
        """Add a request for one tool call.

        Args:
            allowed: the decisions that the graph accepts; empty if it does not say.
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
        """Add a question in the graph's words. A dict may have `message` (or `question`), `tool_name`, `arguments`."""
        schema = approval_answers.usable(schema)
        if not isinstance(value, dict):
            text = value if isinstance(value, str) else _encoder.encode(shown(value)).decode()
            return self._ask(interrupt_id, "question", "", {}, clean(text), None, schema=schema)
        words = next((value[key] for key in ("message", "question") if isinstance(value.get(key), str)), "")
        tool_name = value["tool_name"] if isinstance(value.get("tool_name"), str) else ""
        rest = {key: item for key, item in value.items() if key not in ("message", "question", "tool_name")}
        arguments = value.get("arguments", rest)
        model_id = self._call_of(tool_name, arguments)
        message = clean(words or (f"Allow {tool_name}?" if tool_name else "Continue?"))
        return self._ask(interrupt_id, "question", clean(tool_name), arguments, message, model_id, schema=schema)

    def _call_of(self, tool_name: str, arguments: Any) -> str | None:
        """The model's id of the first such call not asked about yet. Requests come in the order of the calls."""
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


def _allowed(name: Any, review_configs: Any) -> Sequence[str]:
    """The decisions that the graph accepts for a tool; empty if it does not say."""
    for config in review_configs if isinstance(review_configs, list) else ():
        if isinstance(config, dict) and config.get("action_name") == name:
            return config.get("allowed_decisions") or ()
    return ()


def _as_json(value: Any) -> Any:
    """The question as plain objects: models and data classes as their fields, messages as their text."""
    if isinstance(value, str):
        return value
    return value.text if isinstance(value, BaseMessage) else msgspec.json.decode(_encoder.encode(plain(value)))


def _is_human(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("action_request"), dict)


def _open_calls(conversations: Iterable[Sequence[BaseMessage]]) -> dict[str, list[str]]:
    """The ids of the tool calls in the last answers, by tool and arguments, in their order."""
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

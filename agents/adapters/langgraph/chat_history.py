"""Messages in a graph's state: what the graph answers, and calls left without a result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langgraph.types import StateSnapshot

from agents.adapters.shown import clean

KEY = "messages"
INTERRUPTED = "This call was interrupted before it had a result."


def messages_of(values: Any) -> list[BaseMessage]:
    """The messages in a state."""
    found = values.get(KEY) if isinstance(values, Mapping) else None
    return [item for item in found if isinstance(item, BaseMessage)] if isinstance(found, list) else []


def closing_messages(state: StateSnapshot) -> list[ToolMessage]:
    """Results for the tool calls that have none.

    A run that ended in the middle of its tools leaves calls behind which providers, and LangGraph's own agents, refuse
    to go on from. Calls that were done are closed with what they returned.
    """
    unanswered: list[tuple[str, str]] = []  # id, name; an id may come again in a later answer
    for message in messages_of(state.values):
        if isinstance(message, AIMessage):
            unanswered += [(call_id, call["name"]) for call in message.tool_calls if (call_id := call.get("id"))]
        elif isinstance(message, ToolMessage):
            found = next((call for call in unanswered if call[0] == message.tool_call_id), None)
            if found is not None:
                unanswered.remove(found)
    done = {message.tool_call_id: message for task in state.tasks for message in _tool_messages(task.result)}
    return [
        done.get(call_id) or ToolMessage(INTERRUPTED, tool_call_id=call_id, name=name, status="error")
        for call_id, name in unanswered
    ]


def answered(values: Any) -> Any:
    """A run's result out of a graph's output: its last answer, and what else there is in it.

    The whole conversation is not repeated in every result.
    """
    if isinstance(values, BaseMessage):
        return values.text
    if not isinstance(values, Mapping) or KEY not in values:
        return values
    last = next((message for message in reversed(messages_of(values)) if isinstance(message, AIMessage)), None)
    others = {key: value for key, value in values.items() if key != KEY}
    text = clean(str(last.text)) if last is not None else None
    return {**others, "message": text} if others else text


def _tool_messages(result: Any) -> list[ToolMessage]:
    return [message for message in messages_of(result) if isinstance(message, ToolMessage)]

"""Messages in a graph's state: calls without a result, and empty answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, RemoveMessage, ToolMessage
from langgraph.types import StateSnapshot

from netra.agents.adapters.langgraph.model_calls import finish_reason, is_empty

KEY = "messages"
DECLINED = "[A message that the model declined.]"
INTERRUPTED = "This call was interrupted before it had a result."


def messages_of(values: Any) -> list[BaseMessage]:
    """The messages in a state."""
    found = values.get(KEY) if isinstance(values, Mapping) else None
    return [item for item in found if isinstance(item, BaseMessage)] if isinstance(found, list) else []


def conversations(state: StateSnapshot) -> list[list[BaseMessage]]:
    """The conversation of a graph, and those of its subgraphs in progress."""
    found = [messages_of(state.values)]
    for task in state.tasks:
        if isinstance(task.state, StateSnapshot):
            found += conversations(task.state)
    return found


def closing_messages(state: StateSnapshot) -> list[ToolMessage]:
    """Results for the tool calls that have none.

    A run that ended during its tools leaves calls without results, and neither providers nor LangGraph's own agents
    continue after those. Calls that were executed are closed with their results.
    """
    unanswered: list[tuple[str, str]] = []  # id, name; a later answer may use the same id
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


def emptied(messages: list[BaseMessage]) -> list[RemoveMessage]:
    """Messages that remove empty answers from a conversation, because providers refuse a history with one.

    If the provider withheld an answer, its question is removed too, because the provider would refuse it again with
    every later question. The same applies to a question with a completely empty answer, which is how some clients show
    a refusal.
    """
    gone: list[str] = []
    asked: list[str] = []  # messages of the person since the last answer
    for message in messages:
        if isinstance(message, HumanMessage):
            asked += [message.id] if message.id else []
            continue
        if isinstance(message, AIMessage) and is_empty(message) and message.id:
            held_back = finish_reason(message) == "content_filter" or not message.text
            gone += [*(asked if held_back else ()), message.id]
        asked = []
    return [RemoveMessage(id=message_id) for message_id in gone]


def without_question(messages: list[BaseMessage], *, worked: bool = True) -> list[BaseMessage]:
    """Messages that remove the person's last messages, which the provider refused with an error.

    If tools have already run for them, a note replaces them, because providers expect a question before the tools.

    Args:
        worked: remove them even if tools have run for them.
    """
    last = next((place for place, one in enumerate(reversed(messages)) if isinstance(one, HumanMessage)), None)
    if last is None or (last and not worked):
        return []
    asked: list[str] = []
    for message in messages[len(messages) - 1 - last :: -1]:
        if not isinstance(message, HumanMessage):
            break
        asked += [message.id] if message.id else []
    if last == 0:
        return [RemoveMessage(id=message_id) for message_id in asked]
    return [HumanMessage(DECLINED, id=message_id) for message_id in asked]


def _tool_messages(result: Any) -> list[ToolMessage]:
    return [message for message in messages_of(result) if isinstance(message, ToolMessage)]

"""What a thread remembers for a Pydantic AI agent: its messages, as bytes of a bounded size."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from pydantic import ValidationError
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    UserPromptPart,
    repair_messages,
)
from pydantic_core import PydanticSerializationError

from agents.adapters.shown import clean

log = logging.getLogger(__name__)


def load(data: bytes | None) -> list[ModelMessage]:
    """The messages, fit for a new question; none when there are none, or when they cannot be read any more.

    A run that was stopped may have left calls without results and a response that never came to its end: the framework
    takes no new question behind them.
    """
    if not data:
        return []
    try:
        messages = ModelMessagesTypeAdapter.validate_json(data)
        while messages and messages[-1].state == "suspended":
            messages.pop()
        return repair_messages(messages)
    except ValidationError as error:
        log.warning("a thread's message history cannot be read and begins anew: %d problems", error.error_count())
        return []


def dump(messages: Sequence[ModelMessage], limit: int) -> bytes | None:
    """The messages as at most `limit` bytes. Whole turns are left out, the oldest first; system prompts stay.

    Returns:
        `None` when they cannot be kept: they have no JSON form.
    """
    try:
        try:
            return _dump(messages, limit)
        except PydanticSerializationError:
            return _dump(_cleaned(messages), limit)
    except PydanticSerializationError as error:
        log.warning("a thread's message history cannot be kept: %s", type(error).__name__)
        return None


def without_refused(messages: Sequence[ModelMessage]) -> list[ModelMessage]:
    """The messages without a last request that the provider refused: it would refuse it in every later run too."""
    kept = list(messages)
    while kept and (isinstance(kept[-1], ModelRequest) or not kept[-1].parts):
        kept.pop()
    return kept


def _dump(messages: Sequence[ModelMessage], limit: int) -> bytes:
    data = ModelMessagesTypeAdapter.dump_json(list(messages))
    if len(data) <= limit:
        return data
    # With room to spare: a history that loses its beginning in every turn would spoil the provider's prompt cache.
    return ModelMessagesTypeAdapter.dump_json(_shortened(messages, limit * 3 // 4))


def _cleaned(messages: Sequence[ModelMessage]) -> list[ModelMessage]:
    """The messages with texts that have a UTF-8 form: halves of characters, which some providers send, have none."""
    return [
        replace(message, parts=[_cleaned_part(part) for part in message.parts])
        if isinstance(message, ModelResponse)
        else message
        for message in messages
    ]


def _cleaned_part(part: ModelResponsePart) -> ModelResponsePart:
    return replace(part, content=clean(part.content)) if isinstance(part, TextPart | ThinkingPart) else part


def _shortened(messages: Sequence[ModelMessage], limit: int) -> list[ModelMessage]:
    system = _system_prompts(messages)
    room = limit - len(ModelMessagesTypeAdapter.dump_json([ModelRequest(parts=system)]))
    kept: list[ModelMessage] = []
    for turn in reversed(_turns(messages)):
        room -= len(ModelMessagesTypeAdapter.dump_json(turn))
        if room < 0:
            break
        kept = turn + kept
    if kept and isinstance(kept[0], ModelRequest) and system:
        parts = [part for part in kept[0].parts if part not in system]
        kept[0] = replace(kept[0], parts=[*system, *parts])
    return kept


def _turns(messages: Sequence[ModelMessage]) -> list[list[ModelMessage]]:
    """The messages by turn: each begins with what a person said."""
    turns: list[list[ModelMessage]] = []
    for message in messages:
        asked = isinstance(message, ModelRequest) and any(isinstance(part, UserPromptPart) for part in message.parts)
        if asked or not turns:
            turns.append([])
        turns[-1].append(message)
    return turns


def _system_prompts(messages: Sequence[ModelMessage]) -> list[ModelRequestPart]:
    """A non-empty history is taken to have the system prompt already: one that loses its beginning must not lose it."""
    first = messages[0] if messages else None
    if not isinstance(first, ModelRequest):
        return []
    return [part for part in first.parts if isinstance(part, SystemPromptPart)]

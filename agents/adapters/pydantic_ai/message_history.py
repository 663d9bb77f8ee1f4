"""The memory of a thread for a Pydantic AI agent: its messages, as bytes of limited size."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
    is_multi_modal_content,
    repair_messages,
)
from pydantic_core import PydanticSerializationError

from netra.agents.adapters.pydantic_ai.shortened_turns import shortened
from netra.agents.adapters.shown import clean, plain

DECLINED = "[A message that the model declined.]"

log = logging.getLogger(__name__)


def load(data: bytes | None) -> list[ModelMessage]:
    """The messages, prepared for a new question; an empty list if there are none or they can no longer be read.

    A stopped run may have left calls without results and an incomplete response. The framework accepts no new question
    after those.
    """
    if not data:
        return []
    try:
        messages = ModelMessagesTypeAdapter.validate_json(data)
        while messages and messages[-1].state == "suspended":
            messages.pop()
        return repair_messages(messages)
    except ValidationError as error:
        log.warning("a thread's message history cannot be read; it starts again: %d problems", error.error_count())
        return []


def lacks_system_prompt(messages: Sequence[ModelMessage]) -> bool:
    """Whether the messages have no system prompt. The framework does not add one to an existing history."""
    return bool(messages) and not any(isinstance(part, SystemPromptPart) for one in messages for part in one.parts)


def as_json(messages: Sequence[ModelMessage]) -> bytes:
    """The messages as JSON, whatever they contain."""
    try:
        return ModelMessagesTypeAdapter.dump_json(list(messages))
    except PydanticSerializationError:
        return ModelMessagesTypeAdapter.dump_json(_cleaned(messages))


def make_whole(messages: Sequence[ModelMessage]) -> None:
    """Make the texts of messages encodable before they are sent, because providers' clients refuse lone surrogates.

    Models split characters between chunks, and tools return file names that are not UTF-8.
    """
    for message in messages:
        try:
            ModelMessagesTypeAdapter.dump_json([message])
        except PydanticSerializationError as error:
            if "surrogates not allowed" in str(error):
                message.parts = [_cleaned_part(part) for part in message.parts]


def dump_whole(messages: Sequence[ModelMessage], limit: int) -> bytes | None:
    """The messages unchanged; `None` if they have more than `limit` bytes, or no JSON form."""
    try:
        data = ModelMessagesTypeAdapter.dump_json(list(messages))
    except PydanticSerializationError:
        return None
    return data if len(data) <= limit else None


def dump(messages: Sequence[ModelMessage], limit: int) -> bytes | None:
    """The messages in at most `limit` bytes, shortened if necessary (see `shortened_turns`). System prompts stay.

    Returns:
        `None` if they cannot be stored, because they have no JSON form.
    """
    try:
        try:
            return _dump(messages, limit)
        except PydanticSerializationError:
            return _dump(_cleaned(messages), limit)
    except PydanticSerializationError as error:
        log.warning("a thread's message history cannot be stored: %s", type(error).__name__)
        return None


def without_refused(messages: Sequence[ModelMessage], *, question: bool = False) -> list[ModelMessage]:
    """The messages without the last request, which the provider refused: it would refuse it in every later run too.

    Args:
        question: also remove the text of its question. What was done remains.
    """
    kept = list(messages)
    run_id = next((message.run_id for message in reversed(kept) if isinstance(message, ModelRequest)), None)
    while kept and (kept[-1].run_id == run_id if isinstance(kept[-1], ModelRequest) else _says_nothing(kept[-1])):
        kept.pop()
    if not question or run_id is None:
        return kept
    return [_without_question(message) if message.run_id == run_id else message for message in kept]


def _says_nothing(response: ModelResponse) -> bool:
    """Whether a response is not an answer, but only what there was when the provider stopped it."""
    return not response.parts or response.finish_reason == "content_filter" or response.state == "interrupted"


def _without_question(message: ModelMessage) -> ModelMessage:
    if not isinstance(message, ModelRequest):
        return message
    parts = [replace(part, content=DECLINED) if isinstance(part, UserPromptPart) else part for part in message.parts]
    return replace(message, parts=parts)


def _dump(messages: Sequence[ModelMessage], limit: int) -> bytes:
    data = ModelMessagesTypeAdapter.dump_json(list(messages))
    if len(data) <= limit:
        return data
    # Leave room to spare: a history whose beginning changes in every turn would defeat the provider's prompt cache.
    kept = repair_messages(shortened(messages, limit * 3 // 4))
    found = ModelMessagesTypeAdapter.dump_json(kept)
    if len(found) > limit:
        kept, found = [], b"[]"
    log.warning(
        "a thread's message history has %d bytes, more than the limit of %d (memory_bytes, NETRA_MEMORY_BYTES); "
        "it was shortened to %d of %d messages",
        len(data),
        limit,
        len(kept),
        len(messages),
    )
    return found


def _cleaned(messages: Sequence[ModelMessage]) -> list[ModelMessage]:
    """The messages in a form that JSON can express. Some providers send lone surrogates, some tools return objects."""
    return [
        replace(message, parts=[_cleaned_part(part) for part in message.parts])  # type: ignore[arg-type]
        for message in messages
    ]


def _cleaned_part(part: Any) -> Any:
    if isinstance(part, TextPart | ThinkingPart | SystemPromptPart):
        return replace(part, content=clean(part.content))
    if isinstance(part, UserPromptPart):
        if isinstance(part.content, str):
            return replace(part, content=clean(part.content))
        return replace(part, content=[clean(item) if isinstance(item, str) else item for item in part.content])
    if type(part) is ToolReturnPart:
        metadata = plain(part.metadata)
        return replace(part, content=_cleaned_content(part.content), metadata=metadata)
    if type(part) is ToolCallPart:
        return replace(part, args=plain(part.args))
    return part


def _cleaned_content(content: Any) -> Any:
    """A tool's result. Files in it stay files."""
    if isinstance(content, list | tuple):
        return [_cleaned_content(item) for item in content]
    return content if is_multi_modal_content(content) else plain(content)

"""Shortens a thread's messages to a limited size.

The newest turn always stays, with its question and its answer; large parts of it are reduced first. Of the older turns,
the newest that fit stay. Every call keeps its result, because providers refuse a history without it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_core import to_json

from netra.agents.adapters.shown import clean

Part = Any  # part of a request or a response

_STEPS = (64 * 1024, 8 * 1024, 1024, 200)  # bytes; parts larger than this are reduced, the largest first
_GONE = re.compile(r"\s*\[(\d{1,9}) tool calls that followed are done, and no longer kept\.\]\Z")
_NOTE_BYTES = 120  # size of the note about removed calls
_SHOWN = 400  # characters of a text that stay if the rest is removed


class Turn:
    """Messages of one turn, with the JSON size of each in bytes. Sizes are cached, because there may be thousands."""

    def __init__(self, messages: Sequence[ModelMessage], sizes: list[int] | None = None) -> None:
        self.messages = list(messages)
        self.sizes = [size_of([message]) for message in messages] if sizes is None else sizes
        self.size = sum(self.sizes)

    def put(self, place: int, message: ModelMessage) -> None:
        """Replace the message at this index."""
        if message is not self.messages[place]:
            size = size_of([message])
            self.size += size - self.sizes[place]
            self.messages[place], self.sizes[place] = message, size

    def changed(self, change: Callable[[ModelMessage], ModelMessage]) -> Turn:
        """The turn with `change` applied to every message."""
        messages = [change(message) for message in self.messages]
        pairs = zip(messages, self.messages, self.sizes, strict=True)
        return Turn(messages, [size if new is old else size_of([new]) for new, old, size in pairs])


def shortened(messages: Sequence[ModelMessage], limit: int) -> list[ModelMessage]:
    """Messages whose JSON has at most `limit` bytes; none if not even a question and its answer fit.

    A system prompt that would take more than half of that is removed. The agent has it, and its next run adds it again
    (see `message_history.lacks_system_prompt`), while the conversation is stored nowhere else.
    """
    system = _system_prompts(messages)
    turns = [Turn(_without_system(turn, system)) for turn in _turns(messages)]
    if not turns:
        return []
    taken = size_of([ModelRequest(parts=system)]) if system else 0
    if taken > limit // 2:
        system, taken = [], 0
    room = limit - taken
    # The least size of the turns before each turn: their questions and answers.
    needed = [0]
    for turn in turns[:-1]:
        needed.append(needed[-1] + _ends(turn).size)
    newest = turns.pop()
    kept = [_cut_to(_smaller(newest, fair := room - min(needed.pop(), room // 4)), fair)]
    room -= kept[0].size
    while turns and room > 0:
        turn, reserve = turns.pop(), min(needed.pop(), room // 2)
        fitting = _smaller(turn, room - reserve)
        if fitting.size > room:
            break
        kept.append(fitting)
        room -= fitting.size
    if room < 0:
        return []
    found = [message for turn in reversed(kept) for message in turn.messages]
    first = found[0]
    if system and isinstance(first, ModelRequest):
        found[0] = replace(first, parts=[*system, *first.parts])
    return found


def size_of(messages: Sequence[ModelMessage]) -> int:
    """Size of the messages' JSON in bytes."""
    return len(ModelMessagesTypeAdapter.dump_json(list(messages)))


def _smaller(turn: Turn, room: int) -> Turn:
    """The turn with as much as fits between its question and its answer."""
    if turn.size <= room:
        return turn
    turn = turn.changed(_bare)
    for step in _STEPS:
        for place, message in enumerate(turn.messages):
            if turn.size <= room:
                return turn
            if turn.sizes[place] > step:
                turn.put(place, _each_part(message, _light, step))
    return turn if turn.size <= room else _fewer_calls(turn, room)


def _ends(turn: Turn) -> Turn:
    """The least that is kept of a turn: its question and its answer."""
    last = _last_answer(turn)
    ends = turn.messages[:1] + turn.messages[max(1, last) :]
    return Turn([_each_part(_bare(message), _light, _STEPS[-1]) for message in ends])


def _cut_to(turn: Turn, room: int) -> Turn:
    """The turn with shortened texts, if nothing else helps."""
    for characters in (room // 8, room // 32, _SHOWN, _SHOWN // 8):
        if turn.size <= room:
            break
        turn = turn.changed(lambda message, most=characters: _each_part(message, _cut, most))  # type: ignore[misc]
    return turn


def _bare(message: ModelMessage) -> ModelMessage:
    """The message without the parts that only its own run needed: instructions, thoughts, metadata."""
    if isinstance(message, ModelRequest):
        parts = [
            replace(part, metadata=None) if type(part) is ToolReturnPart and part.metadata else part
            for part in message.parts
        ]
        return replace(message, parts=parts, instructions=None)
    kept = [part for part in message.parts if not isinstance(part, ThinkingPart)]
    return replace(message, parts=kept) if kept else message


def _light(part: Part, most: int) -> Part | None:
    """The part without values above this size; `None` for a part that is useless without them."""
    if type(part) is ToolReturnPart and _bytes(part.content) > most:
        return replace(part, content=_note(part.content, min(_SHOWN, most // 4)))
    if type(part) is ToolCallPart and _bytes(part.args) > most:
        return replace(part, args=_light_arguments(part, most))
    if isinstance(part, UserPromptPart) and not isinstance(part.content, str):
        items = [_without_bytes(item) if _bytes_of(item) > most else item for item in part.content]
        return part if items == list(part.content) else replace(part, content=items)
    if isinstance(part, NativeToolCallPart | NativeToolReturnPart) and _bytes(part) > most:
        return None  # its provider accepts it only unchanged
    return part


def _light_arguments(part: ToolCallPart, most: int) -> dict[str, Any]:
    found = part.args_as_dict()
    fair = most // max(1, len(found))
    return {
        name[:_SHOWN]: _note(value, min(_SHOWN, fair // 4)) if _bytes(value) > fair else value
        for name, value in list(found.items())[:50]
    }


def _fewer_calls(turn: Turn, room: int) -> Turn:
    """The turn without its oldest calls, down to its beginning and its end if necessary."""
    messages, last = turn.messages, _last_answer(turn)
    place, gone, size = 1, 0, turn.size + _NOTE_BYTES
    while place < last and size > room:
        gone += sum(isinstance(part, ToolCallPart) for part in messages[place].parts)
        size -= turn.sizes[place]
        place += 1
        while place < last and isinstance(messages[place], ModelRequest):  # the results of the removed calls
            size -= turn.sizes[place]
            place += 1
    first = _noted(messages[0], gone)
    return Turn([first, *messages[place:]], [size_of([first]), *turn.sizes[place:]])


def _last_answer(turn: Turn) -> int:
    return max((place for place, one in enumerate(turn.messages) if isinstance(one, ModelResponse)), default=0)


def _noted(first: ModelMessage, gone: int) -> ModelMessage:
    if not gone or not isinstance(first, ModelRequest):
        return first
    parts = list(first.parts)
    for place, part in enumerate(parts):
        if isinstance(part, UserPromptPart):
            text = isinstance(part.content, str)
            items: list[Any] = [part.content] if text else list(part.content)
            if isinstance(items[-1], str) and (before := _GONE.search(items[-1])):
                gone += int(before[1])
                items[-1] = items[-1][: before.start()]
            note = f"[{gone} tool calls that followed are done, and no longer kept.]"
            parts[place] = replace(part, content=f"{items[0]}\n\n{note}" if text else [*filter(None, items), note])
            break
    return replace(first, parts=parts)


def _cut(part: Part, characters: int) -> Part:
    """The part with at most `characters` characters of text."""
    if isinstance(part, UserPromptPart):
        if isinstance(part.content, str):
            return replace(part, content=_cut_text(part.content, characters))
        items = [
            _cut_text(item, characters) if isinstance(item, str) else _without_bytes(item) for item in part.content
        ]
        return replace(part, content=items[:10])
    if isinstance(part, TextPart):
        return replace(part, content=_cut_text(part.content, characters))
    if type(part) is ToolReturnPart and _bytes(part.content) > characters:
        return replace(part, content=_note(part.content, characters // 4))
    return part


def _cut_text(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[:characters]}… [{len(text) - characters:,} characters left out]"


def _note(value: Any, characters: int) -> str:
    """A note in place of a large value: its beginning, if it is text, and its size."""
    text = clean(value) if isinstance(value, str) else ""
    size = f"[{_bytes(value):,} bytes are no longer kept]"
    return f"{text[:characters]}… {size}" if text and characters > 0 else size


def _without_bytes(item: Any) -> Any:
    if isinstance(item, BinaryContent):
        return f"[{item.media_type}, {len(item.data):,} bytes, is no longer kept]"
    return item


def _bytes_of(item: Any) -> int:
    return len(item.data) if isinstance(item, BinaryContent) else 0


def _bytes(value: Any) -> int:
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode(errors="surrogatepass"))
    return len(to_json(value, bytes_mode="base64", inf_nan_mode="strings", fallback=lambda one: type(one).__name__))


def _each_part(message: ModelMessage, change: Callable[[Part, int], Part | None], most: int) -> ModelMessage:
    parts = [changed for part in message.parts if (changed := change(part, most)) is not None]
    # A response needs at least one part.
    kept = parts or ([TextPart("")] if isinstance(message, ModelResponse) else list(message.parts))
    if len(kept) == len(message.parts) and all(a is b for a, b in zip(kept, message.parts, strict=True)):
        return message
    return replace(message, parts=kept)  # type: ignore[arg-type]  # parts of its own kind


def _turns(messages: Sequence[ModelMessage]) -> list[list[ModelMessage]]:
    """The messages by turn. Each turn begins with a message of the person.

    A stopped run may have left results without an answer. The framework then appends the next question to the same
    request. The results belong to the old turn, and the question begins the next one.
    """
    turns: list[list[ModelMessage]] = []
    for message in messages:
        before = turns[-1][-1] if turns else None
        if not turns or not isinstance(message, ModelRequest) or not _asks(message):
            turns = turns or [[]]
            turns[-1].append(message)
            continue
        results = [part for part in message.parts if isinstance(part, ToolReturnPart)]
        if not results:
            turns.append([message])
        elif before is not None and before.run_id == message.run_id:
            turns[-1].append(message)  # a file returned by a tool is sent to the model like a prompt
        else:
            turns[-1].append(replace(message, parts=results))
            turns.append([replace(message, parts=[part for part in message.parts if part not in results])])
    return turns


def _asks(message: ModelRequest) -> bool:
    return any(isinstance(part, UserPromptPart) for part in message.parts)


def _system_prompts(messages: Sequence[ModelMessage]) -> list[Any]:
    """The system prompts. The framework assumes that a history contains them, so they must survive the shortening."""
    first = messages[0] if messages else None
    if not isinstance(first, ModelRequest):
        return []
    return [part for part in first.parts if isinstance(part, SystemPromptPart)]


def _without_system(turn: list[ModelMessage], system: list[Any]) -> list[ModelMessage]:
    first = turn[0]
    if not system or not isinstance(first, ModelRequest):
        return turn
    return [replace(first, parts=[part for part in first.parts if part not in system]), *turn[1:]]

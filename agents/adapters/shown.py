"""Converts a framework's values for events: to JSON of limited size, never using an object's own text.

A framework passes on whatever a tool received and returned. An event must show it, and must not fail the run.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_json

from netra.agents.texts import expressible
from netra.agents.texts import storable as clean
from websocket_core.conf import conf
from websocket_core.wire import encoding

__all__ = ["clean", "plain", "shown"]

_ROOM = 8 * 1024  # bytes of an event reserved for everything except the value
_BEGINNING = 2000  # characters shown of a value that is too large


def shown(value: Any) -> Any:
    """Convert a value for an event.

    Values without a JSON form are converted to something similar: sets to lists, NaN to text, models to objects, and
    unknown objects to the name of their class, because their own text may contain secrets. A value that is too large
    becomes `{"too_large": BYTES, "beginning": "…"}`, so that nothing is cut off silently.
    """
    if value is None or value is True or value is False or type(value) is int:
        return value
    value = plain(value)
    text = encoding.encode(value)
    limit: int = conf.MAX_EVENT_BYTES - _ROOM
    if len(text) * 4 <= limit:  # no character takes more than four bytes
        return value
    size = len(text.encode())
    if size <= limit:
        return value
    beginning = value if isinstance(value, str) else text
    return {"too_large": size, "beginning": beginning[:_BEGINNING]}


def plain(value: Any) -> Any:
    """Convert a value to JSON types by the same rules, whatever its size. For the result of a run."""
    try:
        return expressible(value)
    except encoding.UnserialisableError:
        return expressible(_jsonable(value))


def _jsonable(value: Any) -> Any:
    try:
        return msgspec.json.decode(_to_json(value))
    except (PydanticSerializationError, ValueError, RecursionError):
        pass
    try:
        return _by_piece(value)
    except (PydanticSerializationError, ValueError, RecursionError):
        return _name(value)


def _by_piece(value: Any) -> Any:
    """Convert a value piece by piece, so that a piece without a JSON form does not affect the others."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, BaseModel):
        value = value.model_dump()
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {_key(key): _by_piece(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_by_piece(item) for item in value]
    try:
        return msgspec.json.decode(_to_json(value))
    except (PydanticSerializationError, ValueError):
        return _name(value)


def _key(key: Any) -> str:
    return clean(key) if isinstance(key, str) else str(next(iter(msgspec.json.decode(_to_json({key: None})))))


def _to_json(value: Any) -> bytes:
    return to_json(value, bytes_mode="base64", inf_nan_mode="strings", fallback=_name)


def _name(value: Any) -> str:
    return f"<{type(value).__name__}>"

"""What a framework's values look like in an event: JSON, bounded, and never an object's own idea of its text.

A framework hands over whatever a tool was given and returned. An event must show it without failing the run over it.
"""

from __future__ import annotations

from typing import Any

import msgspec
from pydantic_core import PydanticSerializationError, to_json

from websocket_core import events
from websocket_core.conf import conf

_ROOM = 8 * 1024  # of an event's bytes for everything besides the value that is shown
_BEGINNING = 2000  # characters shown of what is too large


def shown(value: Any) -> Any:
    """The value as an event can carry it.

    What JSON has no form for is shown as near to it as there is: sets as lists, NaN as text, models as objects, unknown
    objects by the name of their class (their own text may hold what nobody should see). What is too large is shown as
    `{"too_large": BYTES, "beginning": "…"}`, so that nothing is cut off silently.
    """
    if value is None or value is True or value is False or type(value) is int:
        return value
    try:
        text = events.encode(value)
    except events.UnserialisableError:
        value = _jsonable(value)
        text = events.encode(value)
    limit: int = conf.MAX_EVENT_BYTES - _ROOM
    if len(text) * 4 <= limit:  # no character takes more than four bytes
        return value
    size = len(text.encode())
    if size <= limit:
        return value
    beginning = value if isinstance(value, str) else text
    return {"too_large": size, "beginning": beginning[:_BEGINNING]}


def clean(text: str) -> str:
    """Text that has a UTF-8 form: halves of characters are put together, and lone ones replaced by U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _jsonable(value: Any) -> Any:
    try:
        text = to_json(value, bytes_mode="base64", inf_nan_mode="strings", fallback=_name)
        return msgspec.json.decode(text)
    except (PydanticSerializationError, ValueError, RecursionError):
        return clean(value) if isinstance(value, str) else _name(value)


def _name(value: Any) -> str:
    return f"<{type(value).__name__}>"

"""Makes text encodable as UTF-8. See also `websocket_core.database.stored_text`, for database columns."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec

from netra.agents.conf import conf
from websocket_core.database.stored_text import REPLACEMENT, storable, whole
from websocket_core.wire import encoding

__all__ = ["REPLACEMENT", "bounded", "expressible", "storable", "whole"]


def bounded(text: str) -> str:
    """An author's text for people, encodable and at most `MAX_ERROR_CHARS` long."""
    limit: int = conf.MAX_ERROR_CHARS
    text = whole(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def expressible(value: Any) -> Any:
    """The value if it has a JSON form, otherwise a copy in which every text is encodable.

    Raises:
        UnserialisableError: the copy has no JSON form either.
    """
    try:
        encoding.encode(value)
    except encoding.UnserialisableError as problem:
        return _mended(value, problem)
    return value


def _mended(value: Any, problem: encoding.UnserialisableError) -> Any:
    try:
        mended = _with_whole_texts(value)
    except Exception:  # noqa: BLE001 - a circular structure, or an object whose code fails
        raise problem from None
    encoding.encode(mended)
    return mended


def _with_whole_texts(value: Any) -> Any:
    if isinstance(value, str):
        return whole(str.__str__(value))
    if isinstance(value, dict):
        return {_with_whole_texts(key): _with_whole_texts(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_whole_texts(item) for item in value]
    if isinstance(value, msgspec.Struct):
        names = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
        return {shown: _with_whole_texts(getattr(value, name)) for shown, name in names}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _with_whole_texts(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return value  # contains no text; the encoder refuses anything without a JSON form

"""The JSON of the wire and the journal. It is strict: decoding gives exactly the value that was encoded."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Any

import msgspec

_isfinite = math.isfinite


def _plain(value: Any) -> Any:
    """Encode classes that the encoder does not know: identifiers and other subclasses of plain types."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


_encoder = msgspec.json.Encoder(enc_hook=_plain)
_decoder = msgspec.json.Decoder()
_LARGE = 4096  # bytes of JSON above which decoding it again is cheaper than checking every value
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # not an escaped backslash followed by `u0000`


class UnserialisableError(ValueError):
    """The data cannot be expressed as JSON."""


def encode(value: Any) -> str:
    """Encode `value` as JSON text.

    Dates, UUIDs, enumerations, decimals, dataclasses and msgspec structs are written as by msgspec.

    Raises:
        UnserialisableError: it contains something without a JSON form: NaN, a set, bytes, a lone surrogate, an object
            of an unknown class, or a circular structure.
    """
    try:
        data = _encoder.encode(value)
        if len(data) < _LARGE or not _is_json(value, data):
            _check(value)
        return data.decode()
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise UnserialisableError(f"not expressible as JSON: {error}") from None


def has_nul(value: Any) -> bool:
    """Whether a string in a JSON value contains U+0000, which PostgreSQL cannot store."""
    return is_nul_written(_encoder.encode(value).decode())


def is_nul_written(text: str) -> bool:
    """Whether a string in this JSON text contains U+0000."""
    return "\\u0000" in text and _NUL.search(text) is not None


def _is_json(value: Any, data: bytes) -> bool:
    """Whether decoding gives back exactly this large value.

    Clients can send large values with many small parts. This takes a fifth of the time of `_check`. Values that it does
    not recognise (tuples, dates, structs) are then checked one by one.
    """
    if type(value) is not dict and type(value) is not list:
        return False
    try:
        return bool(_decoder.decode(data) == value)
    except Exception:  # noqa: BLE001 - the comparison of a custom class may raise anything
        return False


_SCALARS = frozenset({str, int, bool, type(None)})


def _check(value: Any) -> None:
    """Refuse values that the encoder would change: NaN to null, sets to lists, bytes to base64, number keys to text."""
    kind = type(value)
    if kind in _SCALARS:
        return
    if kind is dict or isinstance(value, dict):
        for key, item in value.items():
            if type(key) is not str and not isinstance(key, str):
                raise TypeError(f"keys of objects are strings, not {type(key).__name__}")
            if type(item) not in _SCALARS:  # checked here too: one call each would cost more than the encoding
                _check(item)
    elif isinstance(value, list | tuple):
        for item in value:
            if type(item) not in _SCALARS:
                _check(item)
    elif isinstance(value, float):
        if not _isfinite(value):
            raise ValueError("NaN and infinities have no JSON form")
    elif isinstance(value, set | frozenset | bytes | bytearray | memoryview):
        raise TypeError(f"{kind.__name__} has no JSON form")
    elif isinstance(value, str | int):
        return  # identifiers, enumerations and the like
    elif isinstance(value, msgspec.Raw):
        return  # encoded already, by this function
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            _check(getattr(value, name))
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            _check(getattr(value, field.name))
    else:
        plain = msgspec.to_builtins(value, enc_hook=_plain)  # TypeError for an unknown class
        if type(plain) is not kind:
            _check(plain)

"""The journalled events: their catalogue, their encoding, and the grammar of a run as an executable state machine."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

from websocket_core.conf import conf
from websocket_core.errors import GrammarError


class EventType(StrEnum):
    """Every journalled event type of the wire protocol, version 1."""

    RUN_QUEUED = "run_queued"
    AGENT_STARTED = "agent_started"
    AGENT_THINKING = "agent_thinking"
    AGENT_MESSAGE = "agent_message"
    AGENT_STATE = "agent_state"
    TOOL_EXECUTING = "tool_executing"
    TOOL_COMPLETED = "tool_completed"
    APPROVAL_REQUESTED = "approval_requested"
    APPROVAL_RESOLVED = "approval_resolved"
    AGENT_COMPLETED = "agent_completed"
    AGENT_FAILED = "agent_failed"
    AGENT_CANCELLED = "agent_cancelled"


CRITICAL: Final = frozenset(
    {
        EventType.AGENT_STARTED,
        EventType.AGENT_THINKING,
        EventType.TOOL_EXECUTING,
        EventType.TOOL_COMPLETED,
        EventType.AGENT_COMPLETED,
    }
)
TERMINAL: Final = frozenset({EventType.AGENT_COMPLETED, EventType.AGENT_FAILED, EventType.AGENT_CANCELLED})
TYPES: Final = frozenset(str(kind) for kind in EventType)
# Deltas: which field names the stream. Consecutive deltas of one stream may be joined; joining never changes the text.
STREAM_FIELD: Final = {"agent_thinking": "stream", "agent_message": "message_id"}

_isfinite = math.isfinite


def _plain(value: Any) -> Any:
    """What the encoder asks for a class it does not know: identifiers and other subclasses of plain types."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


_encoder = msgspec.json.Encoder(enc_hook=_plain)
_decoder = msgspec.json.Decoder()
_LARGE = 4096  # bytes of JSON from which on it is cheaper to decode it again than to look at every value
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # not the text of a backslash and `u0000`, which is written with two


class UnserialisableError(ValueError):
    """The data cannot be expressed as JSON."""


class EventTooLargeError(ValueError):
    """The encoded event is larger than an event may be."""


def encode(value: Any) -> str:
    """JSON text of `value`.

    Dates, UUIDs, enumerations, decimals, dataclasses and msgspec structs are written as msgspec does.

    Raises:
        UnserialisableError: it holds something JSON has no form for: NaN, a set, bytes, a lone surrogate, an object of
            an unknown class, or a structure without end.
    """
    try:
        data = _encoder.encode(value)
        if len(data) < _LARGE or not _is_json(value, data):
            _check(value)
        return data.decode()
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise UnserialisableError(f"not expressible as JSON: {error}") from None


def has_nul(value: Any) -> bool:
    """Whether a string in a JSON value has U+0000, which PostgreSQL cannot keep."""
    return is_nul_written(_encoder.encode(value).decode())


def is_nul_written(text: str) -> bool:
    """Whether a string in this JSON text has U+0000."""
    return "\\u0000" in text and _NUL.search(text) is not None


def _is_json(value: Any, data: bytes) -> bool:
    """Whether a large value is what its encoding says, and nothing that the encoder wrote as something else.

    This is for what comes from clients, as large and as finely cut as they like: it takes a fifth of the time of
    `_check`. What it does not recognise (tuples, dates, structs) is looked at value by value.
    """
    if type(value) is not dict and type(value) is not list:
        return False
    try:
        return bool(_decoder.decode(data) == value)
    except Exception:  # noqa: BLE001 - whatever the comparison of somebody's class raises
        return False


_SCALARS = frozenset({str, int, bool, type(None)})


def _check(value: Any) -> None:
    """Refuse what the encoder would write as something else.

    NaN as null, sets as lists, bytes as base64, number keys as text.
    """
    kind = type(value)
    if kind in _SCALARS:
        return
    if kind is dict or isinstance(value, dict):
        for key, item in value.items():
            if type(key) is not str and not isinstance(key, str):
                raise TypeError(f"keys of objects are strings, not {type(key).__name__}")
            if type(item) not in _SCALARS:  # asked here, too: a call each would cost more than the encoding
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


def timestamp(moment: datetime) -> str:
    """A wire timestamp: UTC, six digits, `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def frame(event_type: str, thread_id: str, run_id: str, seq: int, stamp: str, data: str) -> str:
    """The final text of an event. Ids and types need no escaping: their alphabets have nothing to escape."""
    return (
        f'{{"event_type":"{event_type}","thread_id":"{thread_id}","run_id":"{run_id}",'
        f'"seq":{seq},"timestamp":"{stamp}","data":{data}}}'
    )


FRAME_OVERHEAD: Final = len(frame("approval_requested", "", "", 1 << 63, "2026-01-31T12:00:00.123456Z", ""))


def check_size(data: str, thread_id: str, run_id: str) -> None:
    """Refuse an event that would be larger than `MAX_EVENT_BYTES` encoded.

    Raises:
        EventTooLargeError: it would.
    """
    limit = conf.MAX_EVENT_BYTES
    size = len(data) + len(thread_id) + len(run_id) + FRAME_OVERHEAD
    if size * 4 <= limit:  # no character takes more than four bytes
        return
    size += len(data.encode()) - len(data)
    if size > limit:
        raise EventTooLargeError(
            f"the event has {size:,} bytes; at most {limit:,} are allowed. Store large data elsewhere and send a link"
        )


class RunGrammar:
    """Legal order of one run's events (wire protocol, "Grammar of every run").

    `run_queued? agent_started (thinking | message | state | tool pair | approval pair)* terminal`; a run stopped while
    queued has `run_queued agent_cancelled`. It knows the open tool calls and approvals, which is what must be closed
    before the end.
    """

    __slots__ = ("approvals", "asked", "over", "queued", "started", "tools", "used")

    def __init__(self) -> None:
        self.queued = self.started = self.over = False
        self.tools: dict[str, str] = {}  # open tool calls: id -> name
        self.approvals: dict[str, str] = {}  # open approvals: id -> tool call id
        self.used: set[str] = set()  # ids of all tool calls so far
        self.asked: set[str] = set()  # ids of all tool calls that were asked about so far

    def feed(self, event_type: str, data: Mapping[str, Any]) -> None:
        """Take the next event of the run.

        Raises:
            GrammarError: it may not come here; the state is unchanged.
        """
        if self.over:
            raise GrammarError(f"{event_type} after the end of the run")
        if event_type == "run_queued":
            if self.queued or self.started:
                raise GrammarError("run_queued must be the first event of a run")
            self.queued = True
        elif event_type == "agent_started":
            if self.started:
                raise GrammarError("a run starts once")
            self.started = True
        elif event_type == "agent_cancelled" and self.queued and not self.started:
            self.over = True
        elif not self.started:
            raise GrammarError(f"{event_type} before agent_started")
        elif event_type in TERMINAL:
            if self.tools or self.approvals:
                raise GrammarError(
                    f"{event_type} while tool calls or approvals are open: {[*self.tools, *self.approvals]}"
                )
            self.over = True
        else:
            self._feed_pair(event_type, data)

    def _feed_pair(self, event_type: str, data: Mapping[str, Any]) -> None:
        if event_type == "tool_executing":
            if data.get("tool_call_id") in self.tools:
                raise GrammarError(f"tool call {data.get('tool_call_id')} is open already")
            self.tools[data["tool_call_id"]] = data.get("tool_name", "")
            self.used.add(data["tool_call_id"])
        elif event_type == "tool_completed":
            if self.tools.pop(data.get("tool_call_id", ""), None) is None:
                raise GrammarError(f"tool call {data.get('tool_call_id')} is not open")
        elif event_type == "approval_requested":
            if data.get("approval_id") in self.approvals:
                raise GrammarError(f"approval {data.get('approval_id')} is open already")
            self.approvals[data["approval_id"]] = data.get("tool_call_id", "")
            self.asked.add(data.get("tool_call_id", ""))
        elif event_type == "approval_resolved" and self.approvals.pop(data.get("approval_id", ""), None) is None:
            raise GrammarError(f"approval {data.get('approval_id')} is not open")

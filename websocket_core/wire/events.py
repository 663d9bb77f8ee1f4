"""The journalled events: their types, the text of an event, and its largest size."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from websocket_core.conf import conf
from websocket_core.ids import NAME_LENGTH
from websocket_core.wire.encoding import encode
from websocket_core.wire.vocabulary import TERMINAL_TYPES, EventType

CRITICAL: Final = frozenset(
    {
        EventType.AGENT_STARTED,
        EventType.AGENT_THINKING,
        EventType.TOOL_EXECUTING,
        EventType.TOOL_COMPLETED,
        EventType.AGENT_COMPLETED,
    }
)
TERMINAL: Final = frozenset(TERMINAL_TYPES)
TYPES: Final = frozenset(str(kind) for kind in EventType)
# Deltas: the field that names the stream. Consecutive deltas of one stream may be joined, which never changes the text.
STREAM_FIELD: Final = {"agent_thinking": "stream", "agent_message": "message_id"}

_DATA_NAME = re.compile(r"(?!netra\.)[a-z0-9_.-]{1,64}\Z")


class EventTooLargeError(ValueError):
    """The encoded event is larger than allowed."""


def timestamp(moment: datetime) -> str:
    """A timestamp of the wire protocol: UTC, six digits, `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def frame(event_type: str, thread_id: str, run_id: str, seq: int, stamp: str, data: str) -> str:
    """The final text of an event. Ids and types need no escaping, because their alphabets contain nothing to escape."""
    return (
        f'{{"event_type":"{event_type}","thread_id":"{thread_id}","run_id":"{run_id}",'
        f'"seq":{seq},"timestamp":"{stamp}","data":{data}}}'
    )


def delta_data(event_type: str, stream: str, delta: str, last: bool) -> str:
    """The encoded `data` of a delta; `last` marks the end of a message."""
    end = ',"last":true}' if last else "}"
    return f'{{"delta":{encode(delta)},"{STREAM_FIELD[event_type]}":{encode(stream)}{end}'


FRAME_OVERHEAD: Final = len(frame("approval_requested", "", "", 1 << 63, "2026-01-31T12:00:00.123456Z", ""))


def check_size(data: str, thread_id: str, run_id: str) -> None:
    """Refuse an event that would exceed `MAX_EVENT_BYTES` when encoded.

    Raises:
        EventTooLargeError: it would exceed the limit.
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


def check_data(data: Mapping[str, Any]) -> None:
    """Refuse the data of an `agent_data` event that clients could not use.

    Raises:
        ValueError: `name` is not 1 to 64 of `a-z 0-9 _ . -`, or begins with `netra.`; `data` is missing; `id` is not a
            text of 1 to 128 characters; `transient` is not true; or there is another field.
    """
    name = data.get("name")
    if not isinstance(name, str) or not _DATA_NAME.match(name):
        raise ValueError(
            f"the name of data is 1 to 64 of a-z 0-9 _ . - and does not begin with netra.; not {name!r:.80}"
        )
    if "data" not in data or not data.keys() <= {"name", "data", "id", "transient"}:
        raise ValueError("an agent_data event has `name` and `data`, and maybe `id` and `transient`")
    data_id = data.get("id", "-")
    if not isinstance(data_id, str) or not 0 < len(data_id) <= NAME_LENGTH:
        raise ValueError(f"the id of data is a text of 1 to {NAME_LENGTH} characters, not {data_id!r:.40}")
    if data.get("transient", True) is not True:
        raise ValueError("transient is true, or absent")

"""The journalled events: their types, the text of an event, and its largest size."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from websocket_core.conf import conf
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

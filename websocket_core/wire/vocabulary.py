"""The words of the wire protocol that the database's constraints and indexes also use.

This is a leaf module: the models need these words, and the rest of `websocket_core.wire` needs more than models may
import.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class EventType(StrEnum):
    """Every journalled event type of the wire protocol, version 1."""

    RUN_QUEUED = "run_queued"
    AGENT_STARTED = "agent_started"
    AGENT_THINKING = "agent_thinking"
    AGENT_MESSAGE = "agent_message"
    AGENT_STATE = "agent_state"
    AGENT_DATA = "agent_data"
    TOOL_EXECUTING = "tool_executing"
    TOOL_COMPLETED = "tool_completed"
    APPROVAL_REQUESTED = "approval_requested"
    APPROVAL_RESOLVED = "approval_resolved"
    AGENT_COMPLETED = "agent_completed"
    AGENT_FAILED = "agent_failed"
    AGENT_CANCELLED = "agent_cancelled"


# The events that end a run, and the `run_status` that follows.
STATUS_AFTER: Final = {"agent_completed": "completed", "agent_failed": "failed", "agent_cancelled": "cancelled"}
TERMINAL_TYPES: Final = tuple(STATUS_AFTER)
# Every `run_status` of a run that is not over.
PAIR_TYPES: Final = ("tool_executing", "tool_completed", "approval_requested", "approval_resolved")
# Each `run_status` of a run that is not over.
OPEN_STATUSES: Final = ("queued", "running", "waiting")


def sql_words(words: tuple[str, ...]) -> str:
    """Words as SQL literals, for `IN (…)`.

    They must not be placeholders: a query uses a partial index only if it repeats the index's condition literally.
    """
    return ", ".join(f"'{word}'" for word in words)

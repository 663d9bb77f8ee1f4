"""A run as a test sees it: what it is called, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from netra.site.run_state import RunError
from websocket_core.testing.oracle import texts_of

STATUS = {"agent_completed": "completed", "agent_failed": "failed", "agent_cancelled": "cancelled"}


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A run that was started.

    Attributes:
        run_id, thread_id: its names.
    """

    run_id: str
    thread_id: str


@dataclass(frozen=True, slots=True)
class AskedApproval:
    """A question that a run asks its user.

    Attributes:
        approval_id, run_id: its names.
        message: the question.
        tool_name, arguments: what is asked about; `""` and `None` where the agent named no tool.
    """

    approval_id: str
    run_id: str
    message: str
    tool_name: str
    arguments: Any


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run that is over. Its events are complete, in order, and each is there once: that was verified.

    Attributes:
        run_id, thread_id: its names.
        events: every event of the run as its user received it, in order; the frames of the wire protocol, decoded.
    """

    run_id: str
    thread_id: str
    events: Sequence[dict[str, Any]]

    @property
    def kinds(self) -> list[str]:
        """The `event_type` of every event."""
        return [event["event_type"] for event in self.events]

    @property
    def status(self) -> str:
        """`completed`, `failed` or `cancelled`."""
        return STATUS[self.kinds[-1]]

    @property
    def result(self) -> Any:
        """What the agent returned; `None` unless it completed."""
        return self._end.get("result")

    @property
    def error(self) -> RunError | None:
        """Why it failed: `code`, `message`; `None` unless it did."""
        if self.status != "failed":
            return None
        return RunError(self._end["code"], self._end.get("message", ""))

    @property
    def usage(self) -> dict[str, Any] | None:
        """What it has used, as its agent reported it."""
        return self._end.get("usage")

    @property
    def answer(self) -> str:
        """Everything that the agent said, its messages joined by newlines."""
        return "\n".join(texts_of([event for event in self.events if event["event_type"] == "agent_message"]).values())

    @property
    def retried_as(self) -> StartedRun | None:
        """The run that was started in its place; `None` if there is none."""
        run_id = self._end.get("retried_as")
        return None if run_id is None else StartedRun(run_id, self.thread_id)

    def data(self, event_type: str) -> list[dict[str, Any]]:
        """The `data` of every event of this type."""
        return [event["data"] for event in self.events if event["event_type"] == event_type]

    @property
    def _end(self) -> dict[str, Any]:
        data: dict[str, Any] = self.events[-1]["data"]
        return data

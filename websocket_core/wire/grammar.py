"""The grammar of a run, as a state machine that consumes events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from websocket_core.errors import GrammarError
from websocket_core.wire.events import TERMINAL


class RunGrammar:
    """The legal order of one run's events (wire-protocol.md, "Grammar of every run").

    `run_queued? agent_started (thinking | message | state | data | tool pair | approval pair)* terminal`. A run that is
    stopped while queued has `run_queued agent_cancelled`. The state includes the open tool calls and approvals, which
    must be closed before the end.
    """

    __slots__ = ("approvals", "asked", "over", "queued", "started", "tools", "used")

    def __init__(self) -> None:
        self.queued = self.started = self.over = False
        self.tools: dict[str, str] = {}  # open tool calls: id -> name
        self.approvals: dict[str, str] = {}  # open approvals: id -> tool call id
        self.used: set[str] = set()  # ids of all tool calls so far
        self.asked: set[str] = set()  # ids of all tool calls for which approval was requested so far

    def feed(self, event_type: str, data: Mapping[str, Any]) -> None:
        """Process the next event of the run.

        Raises:
            GrammarError: the event is not allowed here. The state is unchanged.
        """
        if self.over:
            raise GrammarError(f"{event_type} after the end of the run")
        if event_type == "run_queued":
            if self.queued or self.started:
                raise GrammarError("run_queued must be the first event of a run")
            self.queued = True
        elif event_type == "agent_started":
            if self.started:
                raise GrammarError("a run starts only once")
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
                raise GrammarError(f"tool call {data.get('tool_call_id')} is already open")
            self.tools[data["tool_call_id"]] = data.get("tool_name", "")
            self.used.add(data["tool_call_id"])
        elif event_type == "tool_completed":
            if self.tools.pop(data.get("tool_call_id", ""), None) is None:
                raise GrammarError(f"tool call {data.get('tool_call_id')} is not open")
        elif event_type == "approval_requested":
            if data.get("approval_id") in self.approvals:
                raise GrammarError(f"approval {data.get('approval_id')} is already open")
            self.approvals[data["approval_id"]] = data.get("tool_call_id", "")
            self.asked.add(data.get("tool_call_id", ""))
        elif event_type == "approval_resolved" and self.approvals.pop(data.get("approval_id", ""), None) is None:
            raise GrammarError(f"approval {data.get('approval_id')} is not open")

    def closers(self, status: str, error: str) -> list[tuple[str, dict[str, Any]]]:
        """The events (type and data) that close everything open. They come before the terminal event.

        Args:
            status: the status of the tool calls: `error` or `cancelled`.
            error: the error of the tool calls, for people.
        """
        approvals = [
            ("approval_resolved", {"approval_id": approval_id, "approved": False, "value": None, "by": "cancelled"})
            for approval_id in self.approvals
        ]
        tools = [
            (
                "tool_completed",
                {"tool_call_id": call_id, "tool_name": name, "status": status, "error": error, "duration_ms": 0},
            )
            for call_id, name in self.tools.items()
        ]
        return approvals + tools

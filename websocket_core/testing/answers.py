"""Verifies the questions and answers of one run: batches, edited arguments, tools of the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KINDS = ("approval", "tool", "input")
DECISIONS = ("approve", "edit", "reject")


class Answers:
    """What a run has asked, and what was answered."""

    def __init__(self) -> None:
        self._asked: dict[str, Mapping[str, Any]] = {}  # data of the open questions, by approval
        self._edited: dict[str, Any] = {}  # the arguments that were edited, by tool call
        self._elsewhere: set[str] = set()  # tool calls that are no calls of the run: the page's, and inputs
        self._more = False

    def feed(self, event_type: str, data: Mapping[str, Any]) -> str:
        """Verify the run's next event.

        Returns:
            The broken rule; empty: none.
        """
        if self._more and event_type != "approval_requested":
            return "the next request of a batch must follow directly"
        if event_type == "approval_requested":
            return self._request(data)
        if event_type == "approval_resolved":
            return self._resolve(data)
        if event_type == "tool_executing":
            call_id = data.get("tool_call_id", "")
            if call_id in self._elsewhere:
                return "a tool of the page, or an input, has no tool pair"
            if call_id in self._edited and data.get("arguments") != self._edited[call_id]:
                return "a call must run with the edited arguments"
        return ""

    def _request(self, data: Mapping[str, Any]) -> str:
        kind, decisions = data.get("kind", "approval"), data.get("decisions")
        self._asked[data.get("approval_id", "")] = data
        self._more = data.get("more") is True
        if kind not in KINDS:
            return f"an approval has no kind {kind!r}"
        if decisions is not None and (kind != "approval" or not decisions or not {*decisions} <= {*DECISIONS}):
            return "decisions must be a subset of approve, edit, reject, of the kind approval"
        if kind != "approval":
            self._elsewhere.add(data.get("tool_call_id", ""))
        return ""

    def _resolve(self, data: Mapping[str, Any]) -> str:
        asked = self._asked.pop(data.get("approval_id", ""), None)
        if asked is None or "arguments" not in data:
            return ""
        if data.get("approved") is not True or "edit" not in asked.get("decisions", ()):
            return "arguments can only be edited with a yes, where the request allows it"
        if not isinstance(data["arguments"], dict | list):
            return "edited arguments must be an object or an array"
        self._edited[asked.get("tool_call_id", "")] = data["arguments"]
        return ""

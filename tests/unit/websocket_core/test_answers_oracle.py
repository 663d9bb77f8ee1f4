"""The oracle of questions and answers sees what must not be."""

from typing import Any

import pytest

from websocket_core.testing.oracle import ProtocolViolation, check_run

ASK = {"approval_id": "a", "tool_call_id": "c", "decisions": ["approve", "edit", "reject"]}
YES = {"approval_id": "a", "approved": True, "arguments": {"n": 2}}


def run(*pieces: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    events = [("agent_started", {}), *pieces, ("agent_completed", {})]
    return [{"event_type": event_type, "data": data} for event_type, data in events]


def call(arguments: Any) -> list[tuple[str, dict[str, Any]]]:
    name = {"tool_call_id": "c", "tool_name": "t"}
    return [("tool_executing", {**name, "arguments": arguments}), ("tool_completed", {**name, "status": "ok"})]


def test_edited_arguments_run() -> None:
    check_run(run(("approval_requested", ASK), ("approval_resolved", YES), *call({"n": 2})))


@pytest.mark.parametrize(
    ("pieces", "rule"),
    [
        ([("approval_requested", ASK), ("approval_resolved", YES), *call({"n": 1})], "edited arguments"),
        ([("approval_requested", ASK), ("approval_resolved", {**YES, "approved": False})], "with a yes"),
        ([("approval_requested", {**ASK, "decisions": ["approve"]}), ("approval_resolved", YES)], "with a yes"),
        ([("approval_requested", ASK), ("approval_resolved", {**YES, "arguments": "n"})], "an object or an array"),
        ([("approval_requested", {**ASK, "kind": "tool"})], "subset"),
        ([("approval_requested", {**ASK, "decisions": ["maybe"]})], "subset"),
        ([("approval_requested", {"approval_id": "a", "kind": "vote"})], "no kind"),
        ([("approval_requested", {**ASK, "more": True}), ("agent_state", {})], "follow directly"),
        (
            [
                ("approval_requested", {"approval_id": "a", "tool_call_id": "c", "kind": "tool"}),
                ("approval_resolved", {"approval_id": "a", "approved": True}),
                *call({}),
            ],
            "no tool pair",
        ),
    ],
)
def test_what_must_not_be(pieces: list[tuple[str, dict[str, Any]]], rule: str) -> None:
    with pytest.raises(ProtocolViolation, match=rule):
        check_run(run(*pieces))

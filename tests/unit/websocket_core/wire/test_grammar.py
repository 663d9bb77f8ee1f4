"""The grammar of a run: which orders of events are legal, and that an illegal event changes nothing."""

import pytest

from websocket_core.errors import GrammarError
from websocket_core.wire.grammar import RunGrammar

TOOL = {"tool_call_id": "c1", "tool_name": "search"}
OTHER = {"tool_call_id": "c2", "tool_name": "read"}
ASK = {"approval_id": "a1", "tool_call_id": "c1"}
STARTED: list[tuple[str, dict[str, str]]] = [("agent_started", {})]

LEGAL = {
    "bare": [*STARTED, ("agent_completed", {})],
    "queued": [("run_queued", {}), *STARTED, ("agent_failed", {})],
    "stopped while queued": [("run_queued", {}), ("agent_cancelled", {})],
    "golden path": [
        *STARTED,
        ("agent_thinking", {"delta": "x", "stream": "s"}),
        ("tool_executing", TOOL),
        ("tool_completed", TOOL),
        ("agent_message", {}),
        ("agent_state", {}),
        ("agent_completed", {}),
    ],
    "parallel tools": [
        *STARTED,
        ("tool_executing", TOOL),
        ("tool_executing", OTHER),
        ("tool_completed", TOOL),
        ("agent_thinking", {}),
        ("tool_completed", OTHER),
        ("agent_cancelled", {}),
    ],
    "approval inside a tool": [
        *STARTED,
        ("tool_executing", TOOL),
        ("approval_requested", ASK),
        ("approval_resolved", ASK),
        ("tool_completed", TOOL),
        ("agent_completed", {}),
    ],
    "one id after the other": [
        *STARTED,
        *[("tool_executing", TOOL), ("tool_completed", TOOL)] * 2,
        ("agent_completed", {}),
    ],
}

ILLEGAL = {
    "nothing before the start": [("agent_thinking", {})],
    "no end before the start": [("agent_completed", {})],
    "no cancel before anything": [("agent_cancelled", {})],
    "queued twice": [("run_queued", {}), ("run_queued", {})],
    "queued after the start": [*STARTED, ("run_queued", {})],
    "queued runs do not think": [("run_queued", {}), ("agent_thinking", {})],
    "queued runs do not fail": [("run_queued", {}), ("agent_failed", {})],
    "started twice": [*STARTED, *STARTED],
    "two ends": [*STARTED, ("agent_completed", {}), ("agent_failed", {})],
    "after the end": [*STARTED, ("agent_completed", {}), ("agent_thinking", {})],
    "end with an open tool": [*STARTED, ("tool_executing", TOOL), ("agent_completed", {})],
    "end with an open approval": [*STARTED, ("approval_requested", ASK), ("agent_cancelled", {})],
    "tool closed twice": [*STARTED, ("tool_executing", TOOL), ("tool_completed", TOOL), ("tool_completed", TOOL)],
    "tool never opened": [*STARTED, ("tool_completed", TOOL)],
    "tool opened twice": [*STARTED, ("tool_executing", TOOL), ("tool_executing", TOOL)],
    "approval resolved twice": [
        *STARTED,
        ("approval_requested", ASK),
        ("approval_resolved", ASK),
        ("approval_resolved", ASK),
    ],
    "approval never asked": [*STARTED, ("approval_resolved", ASK)],
    "approval asked twice": [*STARTED, ("approval_requested", ASK), ("approval_requested", ASK)],
}


@pytest.mark.parametrize("run", LEGAL.values(), ids=LEGAL)
def test_grammar__legal(run):
    grammar = RunGrammar()
    for event in run:
        assert not grammar.over
        grammar.feed(*event)
    assert grammar.over
    assert not grammar.tools
    assert not grammar.approvals


@pytest.mark.parametrize("run", ILLEGAL.values(), ids=ILLEGAL)
def test_grammar__illegal__and_the_state_stays(run):
    grammar = RunGrammar()
    for event in run[:-1]:
        grammar.feed(*event)
    before = (grammar.queued, grammar.started, grammar.over, dict(grammar.tools), dict(grammar.approvals))
    with pytest.raises(GrammarError):
        grammar.feed(*run[-1])
    assert (grammar.queued, grammar.started, grammar.over, grammar.tools, grammar.approvals) == before


@pytest.mark.parametrize("run", LEGAL.values(), ids=LEGAL)
def test_closers__let_a_run_end_wherever_it_is_left(run):
    """After every event but the last one."""
    for length in range(1, len(run)):
        grammar = RunGrammar()
        for event in [*STARTED, *[event for event in run[:length] if event[0] not in ("agent_started", "run_queued")]]:
            grammar.feed(*event)
        for event in grammar.closers("cancelled", "Stopped."):
            grammar.feed(*event)
        grammar.feed("agent_cancelled", {})


def test_closers__answer_approvals_with_no__and_name_the_tools():
    grammar = RunGrammar()
    for event in [*STARTED, ("tool_executing", TOOL), ("approval_requested", ASK)]:
        grammar.feed(*event)
    assert grammar.closers("error", "The run failed.") == [
        ("approval_resolved", {"approval_id": "a1", "approved": False, "value": None, "by": "cancelled"}),
        ("tool_completed", {**TOOL, "status": "error", "error": "The run failed.", "duration_ms": 0}),
    ]

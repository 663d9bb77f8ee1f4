"""Which answers let a call run."""

from typing import Any

import pytest

from netra.agents.adapters.answers import is_plain_yes

ARGUMENTS = {"to": "bob", "text": "hi"}


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        "go ahead",
        3,
        {"price": 3},
        {"type": "approve"},
        {"type": "Accept"},
        {"decision": "approved", "note": "fine"},
        {"to": "bob"},
        {"args": ARGUMENTS},
        {"args": None},
        {"decisions": [{"type": "approve"}]},
        [{"type": "accept", "args": None}],
        {"approved": True},
        ["red", "blue"],
        {"meta": {"to": "bob"}},
        "No problem, go ahead.",
        "{not JSON",
        '{"note": "fine"}',
        {"note": "no"},
    ],
)
def test_a_yes(value: Any) -> None:
    assert is_plain_yes(value, ARGUMENTS)


@pytest.mark.parametrize(
    "value",
    [
        False,
        {"type": "edit", "edited_action": {"name": "send", "args": {"to": "EDITED"}}},
        {"type": "edit"},
        {"edited_action": {"name": "send", "args": {"to": "EDITED"}}},
        {"override_args": {"to": "EDITED"}},
        {"args": {"to": "EDITED"}},
        {"type": "edit", "args": {"action": "send", "args": {"to": "EDITED"}}},
        {"to": "EDITED"},
        {"type": "reject", "message": "no"},
        {"decision": "deny"},
        {"action": "ignore"},
        {"type": None},
        {"type": "of tomorrow"},
        {"approved": False},
        {"decisions": [{"type": "approve"}, {"type": "edit"}]},
        [{"type": "edit"}],
        [{"type": "approve"}, False],
        "edit",
        "No.",
        ["reject"],
        {"editedAction": {"args": {"to": "EDITED"}}},
        {"override-args": {"to": "EDITED"}},
        {"input": {"to": "EDITED"}},
        {"data": [{"payload": {"to": "EDITED"}}]},
        {"decision": {"type": "edit"}},
        {"decisions": {"type": "edit"}},
        {"Type": "EDIT"},
        {"approve": False},
        {"approved": 0},
        {"allowed": "no"},
        '{"type": "edit"}',
        ' [{"to": "EDITED"}]',
        {"a": {"b": {"c": {"d": {"e": {"f": {}}}}}}},
    ],
)
def test_no_yes(value: Any) -> None:
    assert not is_plain_yes(value, ARGUMENTS)


def test_a_call_whose_arguments_are_called_so() -> None:
    assert is_plain_yes({"type": "email"}, {"type": "email"})
    assert not is_plain_yes({"type": "sms"}, {"type": "email"})
    assert is_plain_yes({"price": 3}, None)

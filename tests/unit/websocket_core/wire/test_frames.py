"""Control frames: flat, nothing absent shown as null, nothing of an exception shown but an incident id."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from netra.agents.errors import AgentError, UnknownAgentError
from websocket_core import errors
from websocket_core.errors import AlreadyDecided, ClientError, CursorExpired, InvalidAction, WebSocketCoreError
from websocket_core.wire import frames


def all_errors(kind: type[WebSocketCoreError]) -> list[type[WebSocketCoreError]]:
    """The core's errors. Those of other rooms, which are here or not as other tests are, have tests of their own."""
    below = (one for child in kind.__subclasses__() for one in all_errors(child))
    return [kind, *(one for one in below if one.__module__.startswith("websocket_core."))]


# fmt: off
CODES = {
    "invalid_json", "invalid_action", "unknown_action", "unknown_agent", "not_found", "run_finished",
    "thread_busy", "run_limit", "quota_exceeded", "already_decided", "rate_limited", "too_large", "unauthenticated",
    "journal_unavailable", "cursor_expired", "invalid_cursor", "internal", "draining", "token_expired",
    "session_revoked",
}
# fmt: on


def test_control__is_flat():
    assert json.loads(frames.control("pong", payload=1)) == {"event_type": "pong", "payload": 1}
    assert json.loads(frames.control("pong", payload=None, request_id="q")) == {
        "event_type": "pong",
        "payload": None,
        "request_id": "q",
    }


def test_error__leaves_out_what_is_absent():
    text = frames.error("not_found", "There is none.", run_id="r1", thread_id=None)
    assert json.loads(text) == {"event_type": "error", "code": "not_found", "message": "There is none.", "run_id": "r1"}


def test_error_of__shows_the_fields():
    error = AlreadyDecided(run_id="r1", decision={"approved": True, "value": None})
    assert json.loads(frames.error_of(error, "q1")) == {
        "event_type": "error",
        "code": "already_decided",
        "message": "The approval has already been decided.",
        "request_id": "q1",
        "run_id": "r1",
        "decision": {"approved": True, "value": None},
    }
    assert json.loads(frames.error_of(CursorExpired(thread_id="t", first_seq=5)))["first_seq"] == 5


def test_error_of__own_request_id_wins():
    """A frame that could not be decoded carries the request_id it was read with."""
    assert json.loads(frames.error_of(InvalidAction(request_id="q1"), None))["request_id"] == "q1"


def test_moment():
    assert frames.moment(None) is None
    assert frames.moment(datetime(2026, 1, 31, tzinfo=UTC)) == "2026-01-31T00:00:00.000000Z"


# The errors themselves


def test_errors__one_root():
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, Exception):
            assert issubclass(kind, WebSocketCoreError), name


@pytest.mark.parametrize("kind", all_errors(ClientError))
def test_client_errors__have_a_code_of_the_wire_and_say_what_to_do(kind: Any):
    error = kind()
    assert error.code in CODES
    assert str(error).endswith(".")
    assert "\n" not in str(error)
    assert error.wire_fields == {}


@pytest.mark.parametrize("kind", all_errors(WebSocketCoreError))
def test_errors__docstring_is_the_default_message(kind: Any):
    assert str(kind()) == (kind.__doc__ or "").split("\n")[0]
    assert str(kind("other", run_id="r")) == "other"
    assert kind("other", run_id="r").wire_fields == {"run_id": "r"}


def test_errors__are_what_python_expects():
    assert issubclass(errors.UserIsolationError, PermissionError)
    assert issubclass(errors.ProtocolComplianceError, TypeError)
    assert issubclass(UnknownAgentError, LookupError)
    assert issubclass(AgentError, WebSocketCoreError)

"""Client frames become actions, or an error that says what is wrong and where; nothing else ever comes out."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from websocket_core.consumer.handlers import ACTION_TABLE
from websocket_core.errors import ClientError, InvalidAction, UnknownAction
from websocket_core.wire import actions


def decode(**message: Any) -> Any:
    return actions.decode(json.dumps(message))


def refusal(text: str | bytes) -> ClientError:
    with pytest.raises(ClientError) as caught:
        actions.decode(text if isinstance(text, str) else text.decode("utf-8", "surrogatepass"))
    return caught.value


def field_of(**message: Any) -> Any:
    error = refusal(json.dumps(message))
    assert type(error) is InvalidAction, error
    return error.fields.get("field")


# What is right


def test_start_agent__shortest_and_longest():
    action = decode(action="start_agent", agent_type="test")
    assert (action.agent_type, action.thread_id, action.run_id, action.input, action.if_busy) == (
        "test",
        None,
        None,
        None,
        None,
    )
    action = decode(
        action="start_agent",
        agent_type="x" * 128,
        thread_id="t" * 128,
        run_id="A.b_c:d-1",
        input=[1],
        if_busy="cancel",
        request_id="q",
    )
    assert (action.thread_id, action.run_id, action.input, action.if_busy, action.request_id) == (
        "t" * 128,
        "A.b_c:d-1",
        [1],
        "cancel",
        "q",
    )


def test_every_action__shortest():
    assert decode(action="stop_agent", run_id="r").reason is None
    assert decode(action="respond", run_id="r", approval_id="a", approved=True).value is None
    assert decode(action="resume", cursors={"t": 0}).cursors == {"t": 0}
    assert decode(action="sync").limit is None
    assert decode(action="sync", limit=200, before="2026-01-31T12:00:00.123456Z").before == datetime(
        2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC
    )
    assert decode(action="watch").threads == "*"
    assert decode(action="watch", threads=[]).threads == []
    assert decode(action="ack", cursors={"t": 3}).cursors == {"t": 3}
    assert decode(action="authenticate", token="x").token == "x"
    assert decode(action="ping").payload is None


def test_every_action__has_a_handler():
    assert set(ACTION_TABLE) == set(actions.ACTIONS.values())
    wire = ["start_agent", "stop_agent", "respond", "resume", "sync", "watch", "ack", "authenticate", "ping"]
    assert sorted(actions.ACTIONS) == sorted(wire)


def test_unknown_fields__are_ignored():
    assert decode(action="ping", payload=1, added_in_version_2={"x": [1]}).payload == 1


@pytest.mark.parametrize("payload", [None, True, 1, -0.5, 2**200, -(2**100), "ä😀", [], {"a": [{}]}, "\u0000"])
def test_payload__is_any_json__exactly(payload):
    value = decode(action="ping", payload=payload).payload
    assert value == payload
    assert type(value) is type(payload)


# What is wrong


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({}, "action"),
        ({"action": None}, "action"),
        ({"action": 5}, "action"),
        ({"action": ["ping"]}, "action"),
        ({"action": "start_agent"}, "agent_type"),
        ({"action": "start_agent", "agent_type": ""}, "agent_type"),
        ({"action": "start_agent", "agent_type": "x" * 129}, "agent_type"),
        ({"action": "start_agent", "agent_type": 5}, "agent_type"),
        ({"action": "start_agent", "agent_type": "t", "thread_id": ""}, "thread_id"),
        ({"action": "start_agent", "agent_type": "t", "thread_id": "a b"}, "thread_id"),
        ({"action": "start_agent", "agent_type": "t", "thread_id": "a\n"}, "thread_id"),
        ({"action": "start_agent", "agent_type": "t", "thread_id": "x" * 129}, "thread_id"),
        ({"action": "start_agent", "agent_type": "t", "run_id": "ä"}, "run_id"),
        ({"action": "start_agent", "agent_type": "t", "run_id": 5}, "run_id"),
        ({"action": "start_agent", "agent_type": "t", "if_busy": "wait"}, "if_busy"),
        ({"action": "start_agent", "agent_type": "t", "request_id": 5}, "request_id"),
        ({"action": "start_agent", "agent_type": "t", "request_id": "x" * 129}, "request_id"),
        ({"action": "start_agent", "agent_type": "t", "input": "a\x00"}, "input"),
        ({"action": "start_agent", "agent_type": "t", "input": {"a": [{"\x00": 1}]}}, "input"),
        ({"action": "start_agent", "agent_type": "a\x00"}, "agent_type"),
        ({"action": "stop_agent"}, "run_id"),
        ({"action": "stop_agent", "run_id": "r", "reason": "x" * 1025}, "reason"),
        ({"action": "stop_agent", "run_id": "r", "reason": "\x00"}, "reason"),
        ({"action": "respond", "run_id": "r", "approval_id": "a"}, "approved"),
        ({"action": "respond", "run_id": "r", "approval_id": "a", "approved": "yes"}, "approved"),
        ({"action": "respond", "run_id": "r", "approval_id": "a", "approved": 1}, "approved"),
        ({"action": "respond", "run_id": "r", "approved": True}, "approval_id"),
        ({"action": "resume"}, "cursors"),
        ({"action": "resume", "cursors": {}}, "cursors"),
        ({"action": "resume", "cursors": []}, "cursors"),
        ({"action": "resume", "cursors": {f"t{n}": 0 for n in range(1001)}}, "cursors"),
        ({"action": "resume", "cursors": {"a b": 0}}, "cursors"),
        ({"action": "sync", "limit": 0}, "limit"),
        ({"action": "sync", "limit": 201}, "limit"),
        ({"action": "sync", "limit": "50"}, "limit"),
        ({"action": "sync", "before": "yesterday"}, "before"),
        ({"action": "sync", "before": "2026-01-31T12:00:00"}, "before"),
        ({"action": "sync", "before": 5}, "before"),
        ({"action": "watch", "threads": "t1"}, "threads"),
        ({"action": "watch", "threads": {"t1": 1}}, "threads"),
        ({"action": "watch", "threads": ["t1", "a b"]}, "threads[1]"),
        ({"action": "ack"}, "cursors"),
        ({"action": "ack", "cursors": {"t": None}}, "cursors"),
        ({"action": "authenticate"}, "token"),
        ({"action": "authenticate", "token": ""}, "token"),
        ({"action": "authenticate", "token": "x" * 16385}, "token"),
    ],
)
def test_wrong_field__is_named(message, field):
    assert field_of(**message) == field


@pytest.mark.parametrize("cursor", [True, False, 1.0, "3", -1, None, [1], {}])
@pytest.mark.parametrize("action", ["resume", "ack"])
def test_cursor__is_an_integer_of_zero_or_more(action, cursor):
    assert field_of(action=action, cursors={"t": cursor}) == "cursors"


def test_cursor__may_be_huge():
    assert decode(action="resume", cursors={"t": 2**70}).cursors == {"t": 2**70}


@pytest.mark.parametrize("name", ["", "Ping", "ping ", "send.json", "websocket.receive", "__class__", "x" * 10_000])
def test_unknown_action__lists_the_known_ones(name):
    error = refusal(json.dumps({"action": name}))
    assert type(error) is UnknownAction
    assert "start_agent" in str(error)
    assert len(str(error)) < 300


# One bad cursor of many


@pytest.mark.parametrize("bad", [True, 1.0, "3", -1, None, [1], {}])
@pytest.mark.parametrize("action", ["resume", "ack"])
def test_bad_cursor__costs_its_own_thread_only(action, bad):
    found = decode(action=action, cursors={"t": 3, "bad": bad, "u": 0}, request_id="q")
    assert (found.cursors, found.refused, found.request_id) == ({"t": 3, "u": 0}, ["bad"], "q")
    assert found.threads_named == 3


@pytest.mark.parametrize("name", ["", "a b", "x" * 129, "ä", "t\n"])
def test_bad_name_among_cursors__costs_itself_only(name):
    assert decode(action="resume", cursors={"t": 3, name: 5}).refused == [name]


def test_good_cursors__nothing_is_refused():
    assert decode(action="resume", cursors={"t": 3}).refused == ()


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"cursors": {"a": 1, **{f"bad {n}": 0 for n in range(1000)}}}, "cursors"),
        ({"cursors": {"a": 1, "b": "2"}, "request_id": 5}, "request_id"),
        ({"cursors": {"a": "1", "b": "2"}}, "cursors"),
    ],
)
def test_bad_cursors__do_not_hide_what_else_is_wrong(message, field):
    assert field_of(action="resume", **message) == field

"""Frames that are not actions are client errors, which carry the `request_id` if it can be read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from websocket_core.errors import ClientError, InvalidJSON
from websocket_core.wire import actions


def refusal(text: str | bytes) -> ClientError:
    with pytest.raises(ClientError) as caught:
        actions.decode(text if isinstance(text, str) else text.decode("utf-8", "surrogatepass"))
    return caught.value


def attempt(text: str) -> actions.Action | ClientError:
    try:
        return actions.decode(text)
    except ClientError as error:
        return error


# What is not JSON


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{",
        "nonsense",
        '{"action": "ping"} {"action": "ping"}',
        '{"action": "ping",}',
        "{'action': 'ping'}",
        '{"action": "ping", "payload": NaN}',
        '{"action": "ping", "payload": Infinity}',
        '{"action": "ping", "payload": -Infinity}',
        '{"action": "ping", "payload": 1e400}',
        '{"action": "ping", "payload": 01}',
        '{"action": "ping", "payload": "raw \x00 or \x1f"}',
        '{"action": "ping", "payload": "\\x41"}',
        "[" * 10_000 + "]" * 10_000,
        '{"action":"ping","payload":' + "[" * 10_000 + "]" * 10_000 + "}",
        '{"a":' * 10_000 + "1" + "}" * 10_000,
        '{"action": "ping", "payload": ' + "9" * 5000 + "}",
        "\ufeff" + '{"action": "ping"}',
        "/* comment */ {}",
    ],
)
def test_not_json(text):
    error = refusal(text)
    assert type(error) is InvalidJSON, error
    assert error.code == "invalid_json"


@pytest.mark.parametrize("text", ["[]", '[{"action": "ping"}]', "1", "null", "true", '"ping"', "1.5"])
def test_not_an_object(text):
    error = refusal(text)
    assert (error.code, "JSON object" in str(error)) == ("invalid_action", True)


def test_lone_surrogates__are_named():
    for text, field in [
        (r'{"action": "start_agent", "agent_type": "t", "input": "\ud800"}', "input"),
        (r'{"action": "start_agent", "agent_type": "t", "input": {"a": ["\udc00 x"]}}', "input"),
        (r'{"action": "start_agent", "agent_type": "t", "input": {"\ud800": 1}}', "input"),
        (r'{"action": "ping", "payload": "\ud83d"}', "payload"),
        (r'{"action": "stop_agent", "run_id": "r", "reason": "\ud800"}', "reason"),
        (r'{"action": "\ud800"}', "action"),
    ]:
        error = refusal(text)
        assert (error.code, error.fields.get("field")) == ("invalid_action", field), text
    assert refusal(r'{"action": "ping", "\ud800": 1}').fields.get("field") is None


def test_surrogate_pairs__are_text():
    assert actions.decode(r'{"action": "ping", "payload": "\ud83d\ude00"}').payload == "😀"  # type: ignore[attr-defined]


@pytest.mark.parametrize("depth", range(100, 1100, 7))
def test_depth__with_a_lone_surrogate_at_the_bottom(depth):
    """Whatever gives up first, decoder or encoder: it is an error of the client."""
    error = refusal('{"action":"ping","payload":' + "[" * depth + r'"\ud800"' + "]" * depth + "}")
    assert error.code in ("invalid_json", "invalid_action")


# request_id of what is refused


@pytest.mark.parametrize(
    ("text", "request_id"),
    [
        ('{"action": "nonsense", "request_id": "q1"}', "q1"),
        ('{"action": "start_agent", "request_id": "q1"}', "q1"),
        ('{"request_id": "q1"}', "q1"),
        (r'{"action": "ping", "payload": "\ud800", "request_id": "q1"}', "q1"),
        ('{"action": "nonsense", "request_id": 5}', None),
        ('{"action": "nonsense", "request_id": "' + "x" * 129 + '"}', None),
        (r'{"action": "nonsense", "request_id": "\ud800"}', None),
        ('{"request_id": "q1"', None),
    ],
)
def test_request_id__is_kept_where_it_can_be_read(text, request_id):
    assert refusal(text).fields.get("request_id") == request_id


def test_request_id__of_a_frame_that_is_not_handled():
    assert actions.request_id_of('{"action": "ping", "request_id": "q1", "payload": [1]}') == "q1"
    for text in (
        "",
        "[]",
        "{}",
        '{"request_id": 5}',
        '{"request_id": "' + "x" * 129 + '"}',
        "[" * 10_000,
        r'{"request_id": "\ud800"}',
    ):
        assert actions.request_id_of(text) is None


# Anything at all

pieces = st.sampled_from(
    [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        '"',
        "action",
        "ping",
        "start_agent",
        "resume",
        "cursors",
        "\\u0000",
        "\\ud800",
        "1",
        "-",
        "NaN",
        " ",
    ]
)


@given(st.lists(pieces | st.text(max_size=3), max_size=30).map("".join))
def test_any_text__becomes_an_action_or_an_error_of_the_client(text):
    outcome = attempt(text)
    if isinstance(outcome, ClientError):
        assert outcome.code in ("invalid_json", "invalid_action", "unknown_action")
        assert str(outcome)


@given(
    st.fixed_dictionaries(
        {"action": st.sampled_from(sorted(actions.ACTIONS))},
        optional={
            name: st.none()
            | st.integers()
            | st.text(max_size=5)
            | st.lists(st.integers(), max_size=2)
            | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
            for name in (
                "agent_type",
                "thread_id",
                "run_id",
                "cursors",
                "threads",
                "limit",
                "before",
                "token",
                "approved",
                "request_id",
            )
        },
    )
)
def test_any_fields__become_an_action_or_an_error_of_the_client(message):
    outcome = attempt(json.dumps(message))
    if isinstance(outcome, ClientError):
        assert outcome.code == "invalid_action"
    else:
        assert outcome.action == message["action"]

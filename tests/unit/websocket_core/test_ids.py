"""Identifiers: legal alphabets, types of their own, ids that sort by time and cannot be guessed."""

import copy
import pickle
import time
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from test_framework.ssot.factories import USER_ID_EXAMPLES
from websocket_core.ids import ConnectionID, RunID, ThreadID, UserID, new_id

NAMES = [ThreadID, RunID, ConnectionID]
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-"


@pytest.mark.parametrize("kind", NAMES)
def test_name__legal(kind):
    for text in ("a", "A.b_c:d-1", "x" * 128, "018f-", new_id()):
        assert kind(text) == text
        assert isinstance(kind(text), str)


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize(
    "text", ["", "x" * 129, "a b", "a\n", "\na", "a/b", "ä", "a\x00", "𝟘", "a|b", "a@b", "'", "\ud800"]
)
def test_name__illegal(kind, text):
    with pytest.raises(ValueError, match=f"not a {kind.__name__}: 1 to 128 characters of"):
        kind(text)


@pytest.mark.parametrize("kind", [*NAMES, UserID])
@pytest.mark.parametrize("value", [None, 5, b"a", True, ["a"], 1.0])
def test_wrong_type(kind, value):
    with pytest.raises(TypeError, match=f"{kind.__name__} takes a string, not {type(value).__name__}"):
        kind(value)


@given(st.text(ALPHABET, min_size=1, max_size=128))
def test_name__every_text_of_the_alphabet(text):
    assert ThreadID(text) == text


@given(st.text(min_size=1, max_size=20).filter(lambda text: not set(text) <= set(ALPHABET)))
def test_name__nothing_else(text):
    assert not RunID.is_valid(text)


@pytest.mark.parametrize(
    "text",
    [
        *USER_ID_EXAMPLES,
        "auth0|123",
        "a@b.example",
        "x" * 255,
        " padded ",
        "Ä\u0308",
        "名前",
        "a/b c",
        "\u200d",
        "\ue000",
        "0",
    ],
)
def test_user__is_opaque(text):
    assert UserID(text) == text


@pytest.mark.parametrize("text", ["", "x" * 256, "a\x00", "a\n", "\x7f", "\x85", "a\ud800"])
def test_user__illegal(text):
    with pytest.raises(ValueError, match="not a UserID: 1 to 255 characters without control characters"):
        UserID(text)


def test_user__is_compared_byte_for_byte():
    composed, decomposed = UserID("\u00e9"), UserID("e\u0301")
    assert composed != decomposed
    assert UserID("Ann") != UserID("ann")
    assert UserID("ann ") != UserID("ann")


def test_error__does_not_repeat_a_long_value():
    with pytest.raises(ValueError, match="not a ThreadID") as caught:
        ThreadID("x" * 100_000)
    assert len(str(caught.value)) < 300


def test_types__are_distinct_and_keep_themselves():
    thread = ThreadID("t1")
    assert not isinstance(thread, RunID)
    assert not isinstance(thread, UserID)
    for other in (pickle.loads(pickle.dumps(thread)), copy.copy(thread), copy.deepcopy(thread)):  # noqa: S301
        assert (other, type(other)) == (thread, ThreadID)
    plain: dict[str, int] = {thread: 1}
    assert plain["t1"] == 1


def test_new_id__is_a_uuid_of_version_7():
    value = UUID(new_id())
    assert (value.version, value.variant) == (7, "specified in RFC 4122")
    assert abs((value.int >> 80) / 1000 - time.time()) < 60
    assert ThreadID.is_valid(str(value))


def test_new_id__sorts_by_time_and_never_repeats():
    ids = []
    for _ in range(20):
        ids.append(new_id())
        time.sleep(0.002)
    assert ids == sorted(ids)
    assert len({new_id() for _ in range(10_000)}) == 10_000

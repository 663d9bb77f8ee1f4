"""The execution context: whose work it is, checked where it is made and never changed."""

import copy
import dataclasses
import pickle

import pytest

from test_framework.ssot.factories import GITHUB, GOOGLE
from websocket_core.context import UserExecutionContext
from websocket_core.ids import ConnectionID, UserID


def test_defaults():
    context = UserExecutionContext(GOOGLE, "t", "r")
    assert (context.connection_id, context.request_id, context.fence) == (None, None, None)


def test_everything():
    context = UserExecutionContext(GOOGLE, "t", "r", connection_id="c", request_id="anything at all ✓", fence=7)
    assert isinstance(context.connection_id, ConnectionID)
    assert (context.request_id, context.fence) == ("anything at all ✓", 7)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"user_id": ""}, ValueError),
        ({"thread_id": "a b"}, ValueError),
        ({"run_id": "r\n"}, ValueError),
        ({"connection_id": ""}, ValueError),
        ({"request_id": "x" * 129}, ValueError),
        ({"request_id": 5}, TypeError),
        ({"user_id": 5}, TypeError),
        ({"thread_id": None}, TypeError),
        ({"connection_id": 5}, TypeError),
        ({"fence": "7"}, TypeError),
        ({"fence": True}, TypeError),
    ],
)
def test_what_is_wrong__is_refused(changes, error):
    with pytest.raises(error):
        UserExecutionContext(**{"user_id": GOOGLE, "thread_id": "t", "run_id": "r", **changes})


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(UserExecutionContext)])
def test_fields__cannot_be_changed(field):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(UserExecutionContext(GOOGLE, "t", "r"), field, "x")


def test_replace__checks_again():
    context = UserExecutionContext(GOOGLE, "t", "r")
    assert dataclasses.replace(context, user_id=UserID(GITHUB)).user_id == GITHUB
    with pytest.raises(ValueError, match="UserID"):
        dataclasses.replace(context, user_id="")  # type: ignore[arg-type]


def test_copies__are_equal():
    context = UserExecutionContext(GOOGLE, "t", "r", request_id="q", fence=1)
    assert copy.deepcopy(context) == context
    assert pickle.loads(pickle.dumps(context)) == context  # noqa: S301

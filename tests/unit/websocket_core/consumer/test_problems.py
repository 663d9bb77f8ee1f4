"""What a client is told of what goes wrong: its own mistakes, and nothing of ours but how to find it in the log."""

import json
import logging

from django.db import InterfaceError, OperationalError

from websocket_core.consumer.session import problem_of
from websocket_core.errors import InvalidAction, JournalUnavailable
from websocket_core.wire import frames


def test_problem__of_the_client__is_told_as_it_is():
    error = InvalidAction(field="cursors")
    assert problem_of(error) is error


def test_problem__database_that_is_away():
    for error in (OperationalError("host=10.0.0.1"), InterfaceError("x")):
        assert isinstance(problem_of(error), JournalUnavailable)
        assert "10.0.0.1" not in str(problem_of(error))


def test_problem__of_ours__shows_nothing_but_an_incident_that_the_log_knows(caplog):
    secret = "password=hunter2"
    with caplog.at_level(logging.ERROR):
        frame = json.loads(frames.error_of(problem_of(RuntimeError(secret)), "q1"))
    assert frame.keys() == {"event_type", "code", "message", "incident", "request_id"}
    assert frame["code"] == "internal"
    assert secret not in json.dumps(frame)
    (record,) = caplog.records
    assert frame["incident"] in record.getMessage()
    assert record.exc_info is not None
    assert secret in str(record.exc_info[1])

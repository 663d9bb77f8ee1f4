"""Checks the arguments of a site's code by the same rules as the fields of the wire."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from websocket_core.errors import InvalidAction, TooLarge
from websocket_core.ids import NAME_LENGTH, NAME_RULE, UserID, is_name
from websocket_core.protocols.run_service import StartRequest
from websocket_core.wire import encoding, events

IF_BUSY = ("enqueue", "reject", "cancel")  # as on the wire
REASON_LENGTH = 1024  # as on the wire
_SURROGATE = re.compile("[\ud800-\udfff]")


def start_request(
    agent: str,
    input: Any,
    user_id: UserID,
    *,
    thread_id: str | None,
    run_id: str | None,
    if_busy: str,
    request_id: str | None,
) -> StartRequest:
    """Create the request for a start.

    Raises:
        TypeError: `agent` is not a text.
        InvalidAction: another argument is invalid; `field` names it.
    """
    if not isinstance(agent, str):
        raise TypeError(f"`agent` must be the name of an agent, not {type(agent).__name__}.")
    if if_busy not in IF_BUSY:
        raise InvalidAction(f"`if_busy` must be one of {', '.join(IF_BUSY)}.", field="if_busy")
    return StartRequest(
        user_id=user_id,
        agent_type=agent,
        thread_id=None if thread_id is None else name(thread_id, "thread_id"),
        run_id=None if run_id is None else name(run_id, "run_id"),
        input=plain(input, "input"),
        if_busy=if_busy,
        request_id=None if request_id is None else text(request_id, "request_id", NAME_LENGTH),
    )


def name(value: Any, field: str) -> str:
    """Check an identifier.

    Raises:
        InvalidAction: it is not a valid identifier.
    """
    if not isinstance(value, str) or is_name(value) is None:
        raise InvalidAction(f"`{field}` must be {NAME_RULE}.", field=field)
    return value


def text(value: Any, field: str, length: int) -> str:
    """Check a text of at most `length` characters.

    Raises:
        InvalidAction: it is not a text, is too long, or contains U+0000 or surrogates.
    """
    if not isinstance(value, str) or len(value) > length or "\0" in value or _SURROGATE.search(value):
        raise InvalidAction(f"`{field}` must be a text of at most {length:,} characters.", field=field)
    return value


def plain(value: Any, field: str) -> Any:
    """Convert a value to plain JSON types, because the agent receives what is recorded.

    Raises:
        InvalidAction: it cannot be represented as JSON, or cannot be stored.
    """
    try:
        written = encoding.encode(value)
    except encoding.UnserialisableError as error:
        raise InvalidAction(f"`{field}` is {error}.", field=field) from None
    if encoding.is_nul_written(written):
        raise InvalidAction("U+0000 cannot be stored; remove it from the text.", field=field)
    return msgspec.json.decode(written)


def small(written: str, field: str) -> str:
    """Check that JSON fits into a frame.

    Raises:
        TooLarge: it does not fit.
    """
    try:
        events.check_size(written, "", "")
    except events.EventTooLargeError as error:
        raise TooLarge(f"{error}.", field=field) from None
    return written

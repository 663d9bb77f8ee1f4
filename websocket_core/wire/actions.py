"""What clients may request: a tagged union of actions, decoded and validated in one place.

Unknown fields are ignored, unknown actions are an error (wire-protocol.md, "Client → server: actions").
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Literal, NoReturn

import msgspec
from msgspec import Meta, Struct

from websocket_core.errors import ClientError, InvalidAction, InvalidJSON, UnknownAction
from websocket_core.ids import NAME_LENGTH, NAME_PATTERN, is_name
from websocket_core.wire import encoding

Name = Annotated[str, Meta(pattern=rf"^{NAME_PATTERN}\Z")]
Cursor = Annotated[int, Meta(ge=0)]


MAX_CURSORS: Final = 1000


class Action(Struct, kw_only=True):
    """Base class of the actions. `request_id` is echoed in every answer."""

    action: ClassVar[str]
    request_id: Annotated[str, Meta(max_length=NAME_LENGTH)] | None = None

    @property
    def threads_named(self) -> int:
        """The number of threads that the action names or requests, beyond the one that it may be about."""
        return 0


class StartAgent(Action):
    """Start a run, or find the one that already has this `run_id`."""

    action = "start_agent"
    agent_type: Annotated[str, Meta(min_length=1, max_length=NAME_LENGTH)]
    thread_id: Name | None = None
    run_id: Name | None = None
    input: Any = None
    if_busy: Literal["enqueue", "reject", "cancel"] | None = None


class StopAgent(Action):
    """Stop a run."""

    action = "stop_agent"
    run_id: Name
    reason: Annotated[str, Meta(max_length=1024)] | None = None


class Respond(Action):
    """Decide an approval."""

    action = "respond"
    run_id: Name
    approval_id: Name
    approved: bool
    value: Any = None
    arguments: dict[str, Any] | list[Any] | None = None  # the edited ones


class Resume(Action, dict=True):
    """Position the connection in threads; 0 is the beginning."""

    refused: ClassVar[Sequence[str]] = ()  # threads with an invalid cursor; the others are resumed

    action = "resume"
    cursors: Annotated[dict[Name, Cursor], Meta(min_length=1, max_length=MAX_CURSORS)]
    epoch: Annotated[str, Meta(max_length=NAME_LENGTH)] | None = None

    @property
    def threads_named(self) -> int:
        """Each is looked up and answered."""
        return len(self.cursors) + len(self.refused)


class Sync(Action):
    """List the user's threads, newest first."""

    action = "sync"
    limit: Annotated[int, Meta(ge=1, le=200)] | None = None
    before: Annotated[datetime, Meta(tz=True)] | None = None

    @property
    def threads_named(self) -> int:
        """The most threads that it may list."""
        return self.limit or 0


class Watch(Action):
    """Limit live events to some threads. `"*"` means all threads."""

    action = "watch"
    threads: Annotated[list[Name], Meta(max_length=MAX_CURSORS)] | Literal["*"] = "*"

    @property
    def threads_named(self) -> int:
        """The threads of the list."""
        return 0 if self.threads == "*" else len(self.threads)


class Ack(Action, dict=True):
    """The cursors that the client has processed. It opens the flow-control window."""

    refused: ClassVar[Sequence[str]] = ()  # as for `Resume`

    action = "ack"
    cursors: Annotated[dict[Name, Cursor], Meta(max_length=MAX_CURSORS)]

    @property
    def threads_named(self) -> int:
        """The threads of the cursors."""
        return len(self.cursors) + len(self.refused)


class Authenticate(Action):
    """Renew the credentials with a fresh token of the same user."""

    action = "authenticate"
    token: Annotated[str, Meta(min_length=1, max_length=16384)]


class Ping(Action):
    """Test the connection."""

    action = "ping"
    payload: Any = None


ACTIONS: Final[dict[str, type[Action]]] = {
    kind.action: kind for kind in (StartAgent, StopAgent, Respond, Resume, Sync, Watch, Ack, Authenticate, Ping)
}

_decoder = msgspec.json.Decoder()
_PATH = re.compile(r" - at (?:`key` in )?`\$\.?([^`]*)`\Z")
_MISSING = re.compile(r"missing required field `([^`]+)`")
_SURROGATE = re.compile("[\ud800-\udfff]")
# Fields that are stored in their own columns or passed to agents. PostgreSQL text cannot contain U+0000.
_NO_NUL: Final = ("request_id", "agent_type", "input", "reason")


def decode(text: str) -> Action:
    """Decode the action in a text frame.

    Errors contain the frame's `request_id` if it can be read.

    Raises:
        InvalidJSON: the text is not JSON. NaN, too much nesting and too large numbers count as that.
        InvalidAction: it is not an object, or a field is missing or wrong; `field` says which.
        UnknownAction: there is no such action.
    """
    try:
        message = _decoder.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        message = _decode_leniently(text)
    if not isinstance(message, dict):
        raise InvalidAction("Send one JSON object with an `action`.")
    request_id = message.get("request_id")
    try:
        return _convert(message, text)
    except ClientError as error:
        if isinstance(request_id, str) and len(request_id) <= 128 and not _SURROGATE.search(request_id):
            error.fields["request_id"] = request_id
        raise


def _convert(message: dict[str, Any], text: str) -> Action:
    name = message.get("action")
    if not isinstance(name, str):
        raise InvalidAction("`action` is missing or not a string.", field="action")
    kind = ACTIONS.get(name)
    if kind is None:
        raise UnknownAction(f"There is no such action. Known actions: {', '.join(ACTIONS)}.", field="action")
    if encoding.is_nul_written(text):
        _refuse_nul(message)
    try:
        return msgspec.convert(message, kind)
    except msgspec.ValidationError as error:
        if kind in (Resume, Ack) and (action := _without_bad_cursors(message, kind)):
            return action
        _explain(error)


def _without_bad_cursors(message: dict[str, Any], kind: type[Action]) -> Action | None:
    """The action with only its valid cursors, or `None` if it has none."""
    cursors = message.get("cursors")
    if not isinstance(cursors, dict) or len(cursors) > MAX_CURSORS:
        return None
    good = {name: seq for name, seq in cursors.items() if type(seq) is int and seq >= 0 and is_name(name)}
    if not good:
        return None
    try:
        action = msgspec.convert({**message, "cursors": good}, kind)
    except msgspec.ValidationError as error:
        _explain(error)
    action.__dict__["refused"] = [name for name in cursors if name not in good]
    return action


def _explain(error: msgspec.ValidationError) -> NoReturn:
    """Raise an error of msgspec in the terms of the wire protocol."""
    text = str(error)
    missing, path = _MISSING.search(text), _PATH.search(text)
    field = missing[1] if missing else path[1].removesuffix("[...]") if path else None
    raise InvalidAction(f"{_PATH.sub('', text)}.", field=field or None) from None


def _refuse_nul(message: dict[str, Any]) -> None:
    for field in _NO_NUL:
        try:
            found = field in message and encoding.has_nul(message[field])
        except RecursionError:
            raise InvalidAction("This is nested too deeply.", field=field) from None
        if found:
            raise InvalidAction("U+0000 cannot be stored; remove it from the text.", field=field)


def _decode_leniently(text: str) -> NoReturn:
    """Find out why the strict decoder refused the text: lone surrogates are JSON but not text. The rest is not JSON."""
    try:
        message = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise InvalidJSON() from None
    if isinstance(message, dict):
        request_id = message.get("request_id")
        known = (
            request_id
            if isinstance(request_id, str) and len(request_id) <= 128 and not _SURROGATE.search(request_id)
            else None
        )
        for field, value in message.items():
            if _SURROGATE.search(json.dumps({field: value}, ensure_ascii=False)):
                shown = None if _SURROGATE.search(field) else field
                raise InvalidAction("Lone surrogates are not text; remove them.", field=shown, request_id=known)
    raise InvalidJSON()


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def request_id_of(text: str) -> str | None:
    """The `request_id` of a frame that will not be handled, if it can be read."""
    try:
        request_id = msgspec.json.decode(text, type=_OnlyRequestId).request_id
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return request_id if isinstance(request_id, str) and len(request_id) <= 128 else None


class _OnlyRequestId(Struct):
    request_id: Any = None

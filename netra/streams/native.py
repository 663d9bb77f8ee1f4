"""Netra's own event stream: the events of one thread, each with its `seq` as id and its exact text as data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

import msgspec

from netra import thread_cursor
from netra.streams.refusals import Refused
from netra.streams.request import Receive, Request, Send
from netra.streams.stream import serve_stream
from websocket_core.auth import Identity
from websocket_core.connections import Resume, WebSocketConnection, resume_threads
from websocket_core.errors import CursorExpired, InvalidAction, InvalidCursor, UnknownAction
from websocket_core.ids import NAME_LENGTH, is_name
from websocket_core.wire.actions import Action

MAX_SEQ: Final = 2**63 - 1
NOT_CONTINUED: Final = frozenset({CursorExpired.code, InvalidCursor.code})


class _Head(msgspec.Struct):
    """What a stream needs to know of a frame. Control frames have no `seq`."""

    event_type: str
    thread_id: str = ""
    seq: int = 0
    code: str = ""


class NotContinuedError(RuntimeError):
    """The events after the client's cursor cannot be sent; it learns why when it comes back."""


class _ThreadEvents:
    """The `Translation` of one stream."""

    def __init__(self, thread_id: str) -> None:
        self._thread_id = thread_id
        self._decode = msgspec.json.Decoder(_Head).decode

    def frames(self, texts: Sequence[str]) -> list[str]:
        """See `Translation`. Control frames are left out.

        Raises:
            NotContinuedError: the delivery refused the position, or had to skip pruned events.
        """
        out: list[str] = []
        for text in texts:
            head = self._decode(text)
            if head.seq and head.thread_id == self._thread_id:
                out.append(f"id: {head.seq}\ndata: {text}\n\n")
            elif head.event_type == "error" and head.code in NOT_CONTINUED:
                raise NotContinuedError(head.code)
        return out


class NativeStream:
    """The `Dialect` of one stream.

    Args:
        thread_id: the thread whose events are sent.
    """

    name: ClassVar[str] = "netra.events"

    def __init__(self, thread_id: str) -> None:
        self._thread_id = thread_id

    def decode(self, text: str) -> Action:
        """Refuse: a stream has one direction."""
        raise UnknownAction

    def request_id_of(self, text: str) -> str | None:
        """Nothing is requested in a stream."""
        return None

    def translation(self) -> _ThreadEvents:
        """See `Dialect`."""
        return _ThreadEvents(self._thread_id)


async def thread_events(request: Request, receive: Receive, send: Send, identity: Identity, thread_id: str) -> None:
    """Send the events of a thread after the client's cursor, and those to come.

    Raises:
        Refused: the method is not GET, or the connection is refused.
        InvalidAction: the thread's name or the cursor has the wrong form.
        CursorExpired, InvalidCursor: see `thread_cursor.checked`.
    """
    if request.method != "GET":
        raise Refused("method_not_allowed", "This address does not have this method. It has: GET.", {"Allow": "GET"})
    if is_name(thread_id) is None:
        raise InvalidAction("This is not a valid thread id.", field="thread_id")
    after, epoch = _cursor(request), request.query.get("epoch")
    if epoch is not None and len(epoch) > NAME_LENGTH:
        raise InvalidAction("This is not an epoch.", field="epoch")
    await thread_cursor.checked(identity.user_id, thread_id, after, epoch)

    async def position(connection: WebSocketConnection) -> None:
        assert connection.delivery is not None
        connection.delivery.watch([connection.thread(thread_id)])
        await resume_threads(connection, Resume({thread_id: after}), None)

    await serve_stream(
        request,
        receive,
        send,
        identity=identity,
        dialect=NativeStream(thread_id),
        position=position,
        thread_id=thread_id,
    )


def _cursor(request: Request) -> int:
    """The last seq that the client has: what a browser adds by itself wins over the address, which stays the same."""
    if last := request.headers.get("last-event-id", ""):
        return _seq(last, "Last-Event-ID")
    return _seq(request.query.get("after", "0"), "after")


def _seq(text: str, field: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= MAX_SEQ):
        raise InvalidAction("A cursor must be a whole number of at least 0.", field=field)
    return int(text)

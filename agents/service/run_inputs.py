"""Checks an input before its run is created."""

from __future__ import annotations

import msgspec

from netra.agents.base import BaseAgent
from websocket_core.errors import InvalidAction, TooLarge
from websocket_core.ids import new_id
from websocket_core.protocols.run_service import StartRequest
from websocket_core.wire import encoding, events


def checked_input(request: StartRequest, kind: type[BaseAgent]) -> str:
    """The input as JSON.

    Raises:
        InvalidAction: it has no JSON form (nested too deeply), or the agent does not accept it.
        TooLarge: `agent_started` would be larger than an event may be.
    """
    try:
        text = encoding.encode(request.input)
        data = {"agent_type": kind.name, "input": msgspec.Raw(text.encode()), "request_id": request.request_id}
        # If the request has no ids, use new ones, which have the right length.
        events.check_size(encoding.encode(data), request.thread_id or new_id(), request.run_id or new_id())
    except encoding.UnserialisableError as error:
        raise InvalidAction(str(error), field="input") from None
    except events.EventTooLargeError as error:
        raise TooLarge(str(error), field="input") from None
    kind.check_input(request.input)
    return text

"""The words of the wire: what clients may ask for, what they are told, and what ends a connection. Pure: no I/O.

Lives here: the `vocabulary` that models and SQL share; *events*, whose text is made once, at their commit (`encoding`),
in the order of a run's *grammar*; control *frames*; *actions* of clients; `close_codes`, the one table of refusals and
ends; the *dialect*, which says all this in another protocol's words at the edge of a connection, and `native`, which
changes nothing.
May come in: every room above, for a module (`from websocket_core.wire import frames`) or for the names below.
Read: `vocabulary`, `events`, `encoding`, `grammar`, `actions`, `frames`, `close_codes`, `dialect`, `native`.
"""

from websocket_core.wire.close_codes import Closing, Retry
from websocket_core.wire.dialect import Dialect
from websocket_core.wire.encoding import UnserialisableError
from websocket_core.wire.events import CRITICAL, STREAM_FIELD, TERMINAL, TYPES, EventTooLargeError
from websocket_core.wire.grammar import RunGrammar
from websocket_core.wire.native import NATIVE

__all__ = [
    "CRITICAL",
    "NATIVE",
    "STREAM_FIELD",
    "TERMINAL",
    "TYPES",
    "Closing",
    "Dialect",
    "EventTooLargeError",
    "Retry",
    "RunGrammar",
    "UnserialisableError",
]

"""The vocabulary of the wire protocol: clients' actions, the server's frames, and the ends of a connection.

This room is pure: no I/O. It has the `vocabulary` that models and SQL share; *events*, encoded once, when they are
committed (`encoding`), and ordered by a run's *grammar*; control *frames*; *actions* of clients; and `close_codes`, the
table of errors and close codes. A *dialect* translates all this into another protocol at the edge of a connection.
`native` is the dialect that changes nothing.

Every room above may import a module (`from websocket_core.wire import frames`) or the names below.
Reading order: `vocabulary`, `events`, `encoding`, `grammar`, `actions`, `frames`, `close_codes`, `dialect`, `native`.
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

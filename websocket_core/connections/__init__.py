"""The open sockets of this process: what each is sent, who they are, and what keeps them up to date.

Lives here: a *connection* drives a `Delivery` over a *transport*; the *hub* hands on what the bell brings to a user's
connections; the *watchdog* heals what the bell lost, and closes those whose credentials have ended; the *log* has a row
for each, by which their *places* are counted over all processes.
May come in: consumer, manager, gateway and admin. Knows the journal, the bell, identities and the wire, no HTTP.
Read: `transports`, `connection`, `journal_reads`, `resume`; then `hub`, `admission`, `watchdog`, `log`.
"""

from websocket_core.connections.admission import bare_connection, connection_of, welcome
from websocket_core.connections.connection import WebSocketConnection
from websocket_core.connections.hub import Hub
from websocket_core.connections.log import ConnectionLog
from websocket_core.connections.resume import Resume, resume_threads
from websocket_core.connections.transports import BareTransport, Transport
from websocket_core.connections.watch.watchdog import Watchdog

__all__ = [
    "BareTransport",
    "ConnectionLog",
    "Hub",
    "Resume",
    "Transport",
    "Watchdog",
    "WebSocketConnection",
    "bare_connection",
    "connection_of",
    "resume_threads",
    "welcome",
]

"""The open sockets of this process: what each is sent, its user, and how it stays up to date.

A *connection* drives a `Delivery` over a *transport*. The *hub* passes news of the bell to a user's connections. The
*watchdog* finds what the bell lost, and closes connections whose credentials have ended. The *log* writes a row for
each connection, and *places* counts these rows over all processes.

The consumer, the manager, the gateway and the admin import this room. It imports the journal, the bell, identities and
the wire, but no HTTP.
Reading order: `transports`, `connection`, `journal_reads`, `resume`; then `hub`, `admission`, `watchdog`, `log`.
"""

from websocket_core.connections.admission import bare_connection, connection_of, welcome
from websocket_core.connections.connection import WebSocketConnection
from websocket_core.connections.health import health
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
    "health",
    "resume_threads",
    "welcome",
]

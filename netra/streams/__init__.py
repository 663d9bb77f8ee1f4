"""Event streams over HTTP: the edge for clients that speak no WebSocket.

A stream is a connection like a socket's, with another transport: isolation, back-pressure, credentials, the drain and
the admin's rows are those of `websocket_core.connections`. This room adds what only HTTP has: who may call, CORS,
refusals before the first byte, and the format of an event stream.

It answers in front of the site's own application, so no middleware compresses, delays or completes a stream.
Only `netra.serving` imports this room, for `Streams`.
Reading order: `facade`, `native`, `stream`, `transport`; then `callers`, `cors`, `refusals`, `server_exit`.
"""

from netra.streams.facade import Streams

__all__ = ["Streams"]

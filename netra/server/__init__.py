"""The ASGI server of `manage.py serve`: Daphne with back-pressure, a fast path for frames, and an orderly shutdown.

Lives here: the server (`asgi_server`), its limits (`limits`), sockets and transports, shutdown. A connection is handled
in `http` and, once it has become a WebSocket, in `websocket`. Both see the server only through `ports`.
May come in: the `serve` command. Importing `asgi_server` puts Twisted on Netra's event loop, so this module does not
import it.
Read: `asgi_server`, `ports`, then `transport`, which is where back-pressure comes from.
"""

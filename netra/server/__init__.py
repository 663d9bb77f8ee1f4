"""The ASGI server of `manage.py serve`: Daphne with back-pressure, a fast path for frames, and an orderly end.

Lives here: the server (`asgi_server`), its bounds (`limits`), sockets and transports, shutdown; one connection is in
`http` and, once it has become a WebSocket, in `websocket`. They know the server by `ports` alone.
May come in: the `serve` command. Importing `asgi_server` puts Twisted on our event loop, so nothing here hands it on.
Read: `asgi_server`, `ports`, then `transport`, which is where back-pressure comes from.
"""

"""One connection once it is a WebSocket.

Lives here: the protocol in two halves (`incoming`, from the client to the application's `inbox`; `protocol`, from the
application to the client, and from the handshake to the end), frames as bytes (`framing`), `last_words` at the close.
May come in: `netra.server.asgi_server`; `framing` also for code that encodes a frame for many sockets.
Read: `protocol`, `incoming`, `inbox`.
"""

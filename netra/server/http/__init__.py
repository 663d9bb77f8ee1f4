"""One connection while it speaks HTTP.

Lives here: the connection, with the time and size limits of headers and bodies (`channel`), one request and the factory
of connections (`protocol`), and the validation of a proxy's headers (`forwarded_headers`).
May come in: `netra.server.asgi_server`. Read: `channel`, then `protocol`.
"""

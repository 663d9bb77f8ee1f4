"""One connection while it speaks HTTP.

Lives here: the connection with the times and sizes of heads and bodies (`channel`), one request and the factory of
connections (`protocol`), and what is believed of a proxy's headers (`forwarded_headers`).
May come in: `netra.server.asgi_server`. Read: `channel`, then `protocol`.
"""

"""The ASGI application that `netra.asgi.netra_application` creates.

`application` wraps the site's own application, `lifespan` handles the startup and shutdown of the server, and
`request_bodies` limits the size of request bodies. Only `netra.asgi` and `serve` import this room.
Read `application` first, then `lifespan`.
"""

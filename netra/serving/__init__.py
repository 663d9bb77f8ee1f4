"""Netra as a part of an ASGI application: what `netra.asgi.netra_application` makes.

Lives here: the application around the site's own (`application`), what a server's start and end mean for it
(`lifespan`), and how large a request's body may be (`request_bodies`). May come in: `netra.asgi` and `serve`.
Read: `application`, `lifespan`.
"""

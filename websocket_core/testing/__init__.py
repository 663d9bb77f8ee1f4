"""Test support for projects that build on Netra, and for load tests: clients that verify what they receive.

`sockets` has in-process sockets and a recording one, `client` a client of the wire protocol over any socket, and
`oracle` verifies order, gaps, replays and grammar. Only tests and `netra.loadtest` import this room, never a server.
Start reading with `sockets`, which exports everything that a test needs.
"""

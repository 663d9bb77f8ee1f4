"""For the tests of a site that has agents: run them in the test's own process, and let things fail on purpose.

`plugin` is what pytest loads (entry point `netra`); the fixtures are in `fixtures`. A `UserClient` is one user in a
browser, `Faults` has everything that can go wrong, `Clock` lets the time of an approval pass. Only tests import this
room, never a server. `websocket_core.testing` has the sockets and the oracle below it.
"""

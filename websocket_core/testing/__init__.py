"""For the tests of whoever builds on Netra, and for load tests: clients that judge what they receive.

Lives here: sockets within the process and a recording one (`sockets`), a client of the wire protocol over any socket
(`client`), and the judge of order, gaps, replays and grammar (`oracle`).
May come in: tests and `netra.loadtest`; nothing that serves.
Read: `sockets`, which hands on everything that a test needs.
"""

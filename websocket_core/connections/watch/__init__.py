"""Checks connections once a second: for news that the bell lost, and for credentials that have ended.

`watchdog` runs the checks, and `credential_watch` has those of credentials. `watched` declares what both need of the
connections, so that they do not import the hub. Only the gateway imports this room, to start the watchdog.
Reading order: `watched`, `watchdog`, `credential_watch`.
"""

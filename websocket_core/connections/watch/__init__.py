"""What looks after connections once a second: news that the bell lost, and credentials that have ended.

Lives here: the watchdog (`watchdog`), the ends of credentials (`credential_watch`), and what both need of the
connections (`watched`), so that they know no hub. May come in: the gateway, which starts the watchdog.
Read: `watched`, `watchdog`, `credential_watch`.
"""
